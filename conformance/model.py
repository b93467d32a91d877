"""The nouns of the suite as frozen values: operations, requirements, exchanges, findings, waivers and verdicts."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

_OF_THE_RUN = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-fA-F]{8,}\b|[0-9]+(?:\.[0-9]+)?")
"""What may differ between two runs that see the same: quoted values, digests and numbers."""


class Effect(StrEnum):
    """What an operation does to the target (`x-effect` in the document), since every operation is a POST."""

    READ = "read"
    CREATE = "create"
    MUTATE = "mutate"
    DESTROY = "destroy"
    COMPUTE = "compute"


class Basis(StrEnum):
    """Why a requirement may be demanded, strongest first."""

    STATED = "stated"
    SHOWN = "shown"
    STANDARD = "standard"
    DECIDED = "decided"


class Level(StrEnum):
    """How strongly it is demanded (RFC 2119's words)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Outcome(StrEnum):
    """What a run says of one requirement."""

    HELD = "held"
    BROKEN = "broken"
    WAIVED = "waived"
    UNTESTED = "untested"


@dataclass(frozen=True)
class Operation:
    """Method and path of the document, by its `operationId`. `path` is a template: `/v1/api/pipelines/create`."""

    id: str
    method: str
    path: str
    effect: Effect


@dataclass(frozen=True)
class Requirement:
    """One promise. `id` is `<operation id>.<kebab sentence>`; `source` says where the promise stands.

    `unreached` is a written reason why this kind of target may leave it untested, by target kind
    (`live`, `emulated`, `recorded`), empty where there is none.
    """

    id: str
    operation: str
    text: str
    level: Level
    basis: Basis
    source: str
    profiles: tuple[str, ...] = ()
    unreached: Mapping[str, str] = field(default_factory=dict)
    check: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gates(self) -> bool:
        """A broken *must* that is stated or shown makes a target non-conformant; nothing else does."""
        return self.level is Level.MUST and self.basis in (Basis.STATED, Basis.SHOWN)


class Headers(Mapping[str, str]):
    """HTTP header fields in order, looked up without regard to case; repeated fields join (RFC 9110 5.3)."""

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self.fields: tuple[tuple[str, str], ...] = tuple((name, value) for name, value in pairs)
        self._joined: dict[str, str] = {}
        for name, value in self.fields:
            key = name.lower()
            self._joined[key] = f"{self._joined[key]}, {value}" if key in self._joined else value

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        """Names only: values may hold credentials."""
        return f"Headers({', '.join(self._joined)})"


class _Body:
    headers: Headers
    body: bytes

    @cached_property
    def media_type(self) -> str:
        """The content type without its parameters, lower case, empty where there is none."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none (RFC 8259; `NaN` and infinities are not JSON).

        A body of more values than any answer has a use for counts as none: as Python's they would fill the memory.
        """
        value, refusal = self._parsed
        if refusal is not None:
            raise refusal.with_traceback(None)
        return value

    @property
    def is_json(self) -> bool:
        """Whether the body parses as JSON."""
        return self._parsed[1] is None

    @cached_property
    def _parsed(self) -> tuple[Any, ValueError | RecursionError | None]:
        """The value, or why there is none: each check asks, and a body that is no JSON may be large."""
        if len(self.body) > _SMALL and sum(map(self.body.count, b",[{")) > max(_MOST_VALUES, len(self.body) // 9):
            return None, ValueError("too many values")
        try:
            return json.loads(self.body, parse_constant=_refuse_constant), None
        except (ValueError, RecursionError) as error:
            return None, error


_SMALL = 1024 * 1024
_MOST_VALUES = 300_000


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Request(_Body):
    """What was sent. `url` is absolute; `body` the bytes on the wire, empty where there is none."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The URL's path, percent-encoded as sent."""
        return urlsplit(self.url).path


@dataclass(frozen=True)
class Response(_Body):
    """What came back. `status` is None where a recording does not know it; `elapsed` seconds to the last byte.

    `body_known` is False where traffic was kept without its bodies: then nothing is claimed of the body.
    """

    status: int | None
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    elapsed: float | None = None
    body_known: bool = True
    headers_known: bool = True

    @property
    def ok(self) -> bool:
        """A 2xx. An unknown status is not one."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Exchange:
    """One request and its response: the only evidence there is.

    `operation` is the operation's id, None for a request of no operation; `parameters` the path parameters, decoded;
    `started` and `ended` seconds on one clock, None where unknown; `response` None where no answer came, and `failure`
    is then the sentence that says why. `intent` is what the sender meant: "" (no claim), "valid" or "invalid".
    """

    request: Request
    response: Response | None
    operation: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    failure: str = ""
    source: str = ""
    intent: str = ""
    labels: frozenset[str] = frozenset()

    @property
    def status(self) -> int | None:
        """The response's status, None where there is none or it is unknown."""
        return self.response.status if self.response else None

    @property
    def ok(self) -> bool:
        """Whether a 2xx came."""
        return self.response is not None and self.response.ok

    @property
    def answer(self) -> Any:
        """The response's JSON, None where it is none."""
        return self.response.json if self.response and self.response.is_json else None

    @property
    def question(self) -> Any:
        """The request's JSON, None where it is none."""
        return self.request.json if self.request.is_json else None


@dataclass(frozen=True)
class Finding:
    """A requirement seen to hold, or not, with the exchanges that show it (the last one is where it showed).

    `shrunk` says that the evidence is the smallest sequence found to show it again, from nothing.
    """

    requirement: str
    held: bool
    expected: str = ""
    actual: str = ""
    evidence: tuple[Exchange, ...] = ()
    operation: str = ""
    shrunk: bool = False

    @property
    def fingerprint(self) -> str:
        """The same broken promise seen again has the same fingerprint: no id, time or value of the run is in it."""
        expected = _OF_THE_RUN.sub("#", self.expected)
        text = f"{self.requirement}\0{self.operation}\0{expected}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Waiver:
    """A broken requirement excused until `last_day`; empty `operation`, `profile` and `fingerprint` mean any."""

    requirement: str
    reason: str
    owner: str
    last_day: datetime.date
    operation: str = ""
    profile: str = ""
    fingerprint: str = ""


class Standing(StrEnum):
    """What became of a waiver in a run: it excused something, had nothing to excuse, outlived its need or its day."""

    USED = "used"
    IDLE = "idle"
    STALE = "stale"
    EXPIRED = "expired"


@dataclass(frozen=True)
class WaiverUse:
    """A waiver and what became of it. *Stale* (the requirement holds) and *expired* fail a run."""

    waiver: Waiver
    standing: Standing


@dataclass(frozen=True)
class Judgement:
    """What is concluded of one requirement: its outcome, how often it was seen to hold or not, and what broke it.

    `findings` holds one broken finding of each fingerprint, the one with the fewest exchanges. `gates` says whether
    the requirement, were it broken and not waived, decides this run's exit code (strictness and scope included).
    `reason` says why it is untested, waived, or broken without gating, empty where there is nothing to say.
    `known` says that it would gate, were it not broken in the baseline too.
    """

    requirement: Requirement
    outcome: Outcome
    evidence: int
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    gates: bool = False
    known: bool = False


@dataclass(frozen=True)
class Verdict:
    """Every requirement's outcome. `word` is conformant, not-conformant or none; `exit_code` 0, 1 or 3."""

    word: str
    exit_code: int
    reason: str
    judgements: tuple[Judgement, ...]
    waivers: tuple[WaiverUse, ...] = ()
