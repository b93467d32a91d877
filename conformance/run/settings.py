"""What a run is asked to do, and the target it opens for it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from conformance import data
from conformance.api.gateway import writer_of
from conformance.errors import CredentialsRefusedError, TargetUnreachableError, UsageError
from conformance.model import Exchange, Headers, Request
from conformance.recording.folder import checked as checked_place
from conformance.recording.folder import checked_har
from conformance.redaction import redact_text
from conformance.spec.document import Document
from conformance.targets.address import Allowed, base_url
from conformance.targets.emulated import emulated_at, emulator_process
from conformance.targets.live import live
from conformance.targets.reception import NO_CONNECTION, Bounds
from conformance.targets.target import PROBES, Safeguards, Target
from conformance.targets.transport import Trust

EMULATED = "emulated"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BUDGETS = ("quick", "standard", "thorough")
WORKSPACE = 10
"""The tutorial's workspace, which the emulated instance has from the start."""

DEFAULT_MODEL = data.FIXTURES / "models" / "fraud.onnx"
_LONGEST_REQUEST_SECONDS = 30.0


@dataclass(frozen=True)
class Settings:
    """A run's settings, plain enough to hand to a worker. `target` is a URL or `emulated`; `wait` is in seconds."""

    target: str = ""
    profile: str = "2023.4"
    budget: str = "standard"
    suites: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    strict: bool = False
    seed: int = 0
    workers: int = 1
    model: str = ""
    workspace_id: int | None = None
    wait: float = 300.0
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    rate: float | None = None
    run_id: str = ""
    emulated_url: str = ""
    signing_key: str = ""
    worker: str = ""
    max_requests: int | None = None
    max_seconds: float | None = None
    ends_at: float | None = None
    allow_hosts: tuple[str, ...] = ()
    witness: bool = False
    shrink: bool = True
    record: str = ""
    har: str = ""
    verbose: bool = False
    record_largest: int = 0
    effects: str = ""
    journal: str = ""
    journal_file: str = ""
    max_deployments: int | None = None
    max_minutes: float | None = None
    shard: str = ""
    costs: str = ""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Settings:
        """The settings that `as_plain` wrote down."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in plain.items()}
        return cls(**values)

    def as_plain(self) -> dict[str, Any]:
        """Texts, numbers and lists only."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @property
    def kind(self) -> str:
        """`emulated` or `live`."""
        return EMULATED if self.target == EMULATED else "live"

    @property
    def allowed(self) -> str:
        """`read`, `own` or `full`: as asked, else only what is its own on a live target."""
        return self.effects or ("full" if self.kind == EMULATED else "own")

    @property
    def deployments_at_once(self) -> int | None:
        """How many deployments of the run may be up at once; None means any number."""
        return self.max_deployments or (None if self.kind == EMULATED else 8)

    @property
    def minutes_deployed(self) -> float | None:
        """How many minutes deployments of the run may be up, added up; None means for ever."""
        return self.max_minutes or (None if self.kind == EMULATED else 120.0)

    @property
    def prefix(self) -> str:
        """What every name this run gives begins with."""
        return f"conformance-{self.run_id}-"

    @property
    def bounds(self) -> Bounds:
        """How long one exchange may take."""
        return Bounds(seconds=min(_LONGEST_REQUEST_SECONDS, self.wait))


def new_run_id() -> str:
    """Eight characters that no other run has."""
    return secrets.token_hex(4)


def model_file(settings: Settings) -> Path:
    """The model to upload: the one given, or our own."""
    return Path(settings.model) if settings.model else DEFAULT_MODEL


def checked(settings: Settings) -> Settings:
    """The settings, once they make sense. Raises UsageError with what to do."""
    if not settings.target:
        raise UsageError(
            "No target: give --target URL for your instance, or --target emulated for an emulated one "
            "(CONFORMANCE_TARGET works too)."
        )
    if settings.kind == "live":
        base_url(settings.target)
    own_hosts(settings)
    Document.load(settings.profile)
    if settings.record and not settings.worker:
        checked_place(Path(settings.record))
    if settings.har:
        checked_har(Path(settings.har))
    if not model_file(settings).is_file():
        raise UsageError(f"The model {model_file(settings).name} is not a file. Give --model FILE.onnx.")
    trust_of(settings)
    if settings.rate is not None and settings.rate <= 0:
        raise UsageError("--rate must be more than 0 requests a second.")
    if settings.wait <= 0:
        raise UsageError("--timeout must be more than 0 seconds.")
    return settings


def own_hosts(settings: Settings) -> frozenset[str]:
    """The hosts that are allowed as the target's own. Raises UsageError for what is no host."""
    return frozenset(Allowed.read(host).host for host in settings.allow_hosts)


_LONGEST_WAIT, _LONGEST_WAIT_HERE = 300.0, 90.0


def longest_wait(target: str) -> float:
    """Seconds to wait for a deployment where nobody says: a cluster may first have to grow, this machine does not."""
    try:
        here = target == EMULATED or urlsplit(target).hostname in LOOPBACK
    except ValueError:
        here = False  # no URL, which its own sentence will tell
    return _LONGEST_WAIT_HERE if here else _LONGEST_WAIT


@contextmanager
def emulator_for(settings: Settings, meanwhile: Callable[[], object] = lambda: None) -> Iterator[str]:
    """The URL of an emulated instance for the whole run; empty where the target is live.

    `meanwhile` is done while an instance starts.
    """
    if settings.kind == EMULATED and not settings.emulated_url:
        key = ["--signing-key", settings.signing_key] if settings.signing_key else []
        with emulator_process(["--profile", settings.profile, *key], meanwhile=meanwhile) as url:
            yield url
    else:
        yield settings.emulated_url


def open_target(
    settings: Settings, environ: Mapping[str, str] | None = None, safeguards: Safeguards | None = None
) -> Target:
    """The target of a run. Raises UsageError where credentials are missing."""
    environ = os.environ if environ is None else environ
    document = Document.load(settings.profile)
    if settings.kind == EMULATED:
        return emulated_at(settings.emulated_url, document, environ, settings.bounds, safeguards)
    return live(
        settings.target,
        document,
        environ,
        settings.prefix,
        bounds=settings.bounds,
        trust=trust_of(settings),
        rate=settings.rate,
        allowed_hosts=settings.allow_hosts,
        safeguards=safeguards,
    )


def trust_of(settings: Settings) -> Trust:
    """The PEM files that a run was given. Raises UsageError where one does not exist, or a key has no certificate."""
    files = (settings.ca_file, settings.client_cert, settings.client_key)
    for option, file in zip(("--ca-file", "--client-cert", "--client-key"), files, strict=True):
        if file and not Path(file).is_file():
            raise UsageError(f"The {option} {file} is not a file.")
    if settings.client_key and not settings.client_cert:
        raise UsageError("--client-key needs --client-cert FILE, the certificate that belongs to the key.")
    return Trust(*(Path(file) if file else None for file in files))


def require_answer(target: Target) -> None:
    """Make sure that something at the target answers as this API does, with our credentials.

    Raises TargetUnreachableError or CredentialsRefusedError with one sentence.
    """
    exchanges = []
    for path in PROBES:
        request = Request("POST", f"/v1/api/{path}", Headers({"Content-Type": "application/json"}), b"{}")
        exchange = target.send(request)
        if exchange.ok and exchange.response is not None and exchange.response.is_json:
            return
        if exchange.response is None and exchange.failure.startswith(NO_CONNECTION):
            advice = "" if ";" in exchange.failure else " Check --target."
            raise TargetUnreachableError(f"{target.url} cannot be reached: {exchange.failure}.{advice}")
        exchanges.append(exchange)
    if any(_speaks_like_the_api(exchange) for exchange in exchanges):
        return
    if all(exchange.status in (401, 403) for exchange in exchanges):
        raise CredentialsRefusedError(
            f"{target.url} refuses our token on every operation tried ({exchanges[0].status}). Check the credentials."
        )
    came = ", ".join(dict.fromkeys(map(_came, exchanges)))
    through = f" through the proxy {target.proxy}" if target.proxy else ""
    raise TargetUnreachableError(
        f"Nothing at {target.url}{through} answers like this API (tried {len(exchanges)} operations: {came}). "
        f"{_advice(target, exchanges[0])}"
    )


def _came(exchange: Exchange) -> str:
    if exchange.response is None:
        return exchange.failure
    writer = writer_of(exchange.response, exchange.operation)
    location = redact_text(exchange.response.headers.get("location", ""))
    return f"status {exchange.status}" + (f" by {writer}" if writer else "") + (f" to {location}" if location else "")


def _advice(target: Target, exchange: Exchange) -> str:
    """What to do about an answer that is not this API's."""
    response = exchange.response
    page = response.body[:4096].decode("latin-1").lower() if response else ""
    location = response.headers.get("location", "") if response else ""
    if location and exchange.status in (301, 302, 303, 307, 308):
        try:
            there = base_url(urljoin(exchange.request.url, location))
        except UsageError:
            there = ""
        if there and there != target.url:
            return f"It redirects to {there}: if that is your instance, give it as --target."
    if exchange.status == 407:
        return "Give the proxy's user and password in its URL, http://USER:PASSWORD@HOST:PORT."
    if "ssl certificate" in page:
        return "It asks for a client certificate: give --client-cert FILE and --client-key FILE."
    if "http request was sent to https port" in page:
        return f"It expects TLS: give --target https://{target.url.partition('://')[2]}."
    return "Check --target."


def _speaks_like_the_api(exchange: Exchange) -> bool:
    """A refusal by the API itself: `{msg, code}`, which no stray web server writes."""
    return (
        exchange.status not in (401, 403)
        and isinstance(exchange.answer, dict)
        and set(exchange.answer) >= {"msg", "code"}
    )
