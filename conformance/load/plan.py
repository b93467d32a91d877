"""What a load is: its shape, and what its users need to know of the target, plain enough to send to other machines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from conformance.ledger import Deployment, Ledger
from conformance.model import Exchange, Headers
from conformance.reporting.facts import of_exchange, to_exchange
from conformance.run.settings import Settings
from conformance.suites.model import Model

JSON_ROWS, ARROW_ROWS = "json", "arrow"
CHANGES = ("redeploy", "hot-swap", "undeploy-other")
BATCHES = (1, 1, 1, 1, 1, 1, 8, 64, 512)


@dataclass(frozen=True)
class Shape:
    """How much is asked. `rate` is inferences a second in open arrival, None where users wait for their answers.

    `batches` are sizes of batches, asked in turn; `think` and `ramp` are seconds.
    """

    users: int = 20
    seconds: float = 30.0
    ramp: float = 0.0
    rate: float | None = None
    think: float = 0.0
    workers: int = 1
    during: str = ""
    batches: tuple[int, ...] = BATCHES
    forms: tuple[str, ...] = (JSON_ROWS, ARROW_ROWS)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Shape:
        """The shape that a plain mapping of its fields is."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in plain.items()}
        return cls(**values)

    def due(self, number: int, rate: float) -> float:
        """Seconds from the start at which the arrival of that number is due, at this rate: it grows over the ramp."""
        within = rate * self.ramp / 2
        if number < within:
            return math.sqrt(2 * number * self.ramp / rate)
        return self.ramp + (number - within) / rate


@dataclass(frozen=True)
class Version:
    """A version of the pipeline that load is sent to, and the one model it serves."""

    variant: int
    model: str
    uuid: str
    sha: str


@dataclass(frozen=True)
class Plan:
    """What a worker needs. `exchanges` are what made the deployment, without tokens: they make the ledger.

    `versions` are those that may answer, the one deployed first in front.
    """

    settings: Settings
    shape: Shape
    url: str
    name: str
    versions: tuple[Version, ...]
    exchanges: tuple[Exchange, ...] = field(repr=False)

    def as_plain(self) -> dict[str, Any]:
        """Texts, numbers, lists and mappings."""
        return {
            "settings": self.settings.as_plain(),
            "shape": asdict(self.shape),
            "url": self.url,
            "name": self.name,
            "versions": [asdict(version) for version in self.versions],
            "exchanges": [_of(exchange) for exchange in self.exchanges],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Plan:
        """The plan that `as_plain` wrote down."""
        return cls(
            Settings.from_plain(plain["settings"]),
            Shape.from_plain(plain["shape"]),
            plain["url"],
            plain["name"],
            tuple(Version(**version) for version in plain["versions"]),
            tuple(map(to_exchange, plain["exchanges"])),
        )

    @property
    def ledger(self) -> Ledger:
        """What the exchanges say exists."""
        ledger = Ledger()
        for exchange in self.exchanges:
            ledger = ledger.after(exchange)
        return ledger

    def ledgers(self) -> dict[str, Ledger]:
        """For each version's sha, the ledger of a target that serves this version and never served another.

        Engines are not in them: under load, and when it is deployed again, an instance may add some.
        """
        ledger = self.ledger
        deployment = ledger.deployment_named(self.name)
        assert deployment is not None, "the plan's exchanges made the deployment"
        return {version.sha: _with(ledger, _serving(deployment, version)) for version in self.versions}

    def over(self) -> Ledger:
        """The ledger once the last version was deployed over the first, as the fold has it."""
        ledger, due = self.ledger, (self.versions[-1].sha,)
        deployment = ledger.deployment_named(self.name)
        assert deployment is not None
        unsure = replace(deployment, variant_pk=None, shas=(), models=(), versions=(), shown=(), due=due)
        return _with(ledger, unsure)

    @property
    def model(self) -> Model:
        """The model deployed first, as it was uploaded."""
        return Model.of(self.ledger.contents[self.versions[0].sha], self.versions[0].model)


def _serving(deployment: Deployment, version: Version) -> Deployment:
    return replace(
        deployment, variant_pk=version.variant, models=(version.model,), versions=(version.uuid,), shas=(version.sha,),
        shown=(), engines=frozenset(),
    )  # fmt: skip


def _with(ledger: Ledger, deployment: Deployment) -> Ledger:
    return replace(ledger, deployments=ledger.deployments.insert(deployment.id, deployment))


def _of(exchange: Exchange) -> dict[str, Any]:
    """An exchange with its whole body, since a model is in one of them, and without its token."""
    fields = [pair for pair in exchange.request.headers.fields if pair[0].lower() != "authorization"]
    bare = replace(exchange, request=replace(exchange.request, headers=Headers(fields)))
    plain = of_exchange(bare)
    plain["request"][3] = exchange.request.body.decode("latin-1")
    return plain
