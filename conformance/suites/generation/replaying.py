"""Replays a recorded sequence with fresh names and ids, judged by a ledger of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.api.client import ApiError, PipelineClient
from conformance.errors import NoVerdictError
from conformance.ledger import Stage
from conformance.model import Exchange, Finding, Headers, Mark, Purpose, Request
from conformance.run.session import Session
from conformance.suites.generation.tokens import Token, renewed, rewritten
from conformance.suites.waiting import GONE, RUNNING, until_gone, until_running
from conformance.targets.waits import Patience

_STATUS = "status.get-deployment"
_WAIT_SECONDS = 15.0
_OURS_TO_SET = frozenset({"authorization", "user-agent", "accept-encoding"})
_LONG_NAME = 50
"""Names from this length on keep their length: it may be what matters."""


class NotAgainError(Exception):
    """The sequence did not go as it did the first time."""


@dataclass
class Life:
    """One life of a sequence: a session of its own and what stands for what in it."""

    session: Session
    prefix: str
    number: int
    patience: Patience
    waits: bool
    known: dict[Token, Any] = field(default_factory=dict)

    def substitute(self, kind: str, value: Any) -> Any:
        """The replay's value for a recorded value."""
        if kind == "name" and isinstance(value, str) and value.startswith(self.prefix):
            return self.known.setdefault((kind, value), self._named(value))
        try:
            return self.known.get((kind, value), value)
        except TypeError:
            return value

    def _named(self, name: str) -> str:
        rest = name.removeprefix(self.prefix)
        new = f"{self.prefix}s{self.number}-{rest}"
        return new[: len(name)] if len(name) >= _LONG_NAME else new

    def live(self, exchanges: Sequence[Exchange]) -> None:
        """Send all of them; raises NotAgainError where one that succeeded does not again."""
        for exchange in exchanges:
            new = self.again(exchange)
            if exchange.ok and not new.ok:
                raise NotAgainError
            renewed(exchange, new, self.known)

    def again(self, exchange: Exchange) -> Exchange:
        """Send one exchange's request in this life, waiting where the first life had come to know Running or 404."""
        request = self.request(exchange)
        awaited = _awaited(exchange)
        if awaited == GONE and not self._ending(request):
            raise NotAgainError
        if awaited:
            self._wait(request, awaited)
        return self.send(exchange, request)

    def send(self, exchange: Exchange, request: Request) -> Exchange:
        """Send a request as that exchange was meant."""
        stranger = bool(Purpose.IDENTITY.words(exchange.labels))
        labels = exchange.labels - {Mark.GENERATED}
        return self.session.send(request, intent=exchange.intent, labels=labels, authenticated=not stranger)

    def request(self, exchange: Exchange) -> Request:
        """The exchange's request with this life's names and ids, without what the target adds itself."""
        request = exchange.request
        stranger = bool(Purpose.IDENTITY.words(exchange.labels))
        fields = [
            (name, value)
            for name, value in request.headers.fields
            if name.lower() not in _OURS_TO_SET or (stranger and name.lower() == "authorization")
        ]
        return rewritten(exchange.operation, replace(request, headers=Headers(fields)), self.substitute)

    def _ending(self, request: Request) -> bool:
        """Whether what is asked for was undeployed in this life: else nobody need wait for its end."""
        known = self.session.ledger.deployment_named(request.json["name"])
        return known is not None and known.stage is not Stage.DEPLOYED

    def _wait(self, request: Request, awaited: str) -> None:
        client = PipelineClient(self.session.send)
        name = request.json["name"]
        try:
            (until_running if awaited == RUNNING else until_gone)(client, name, self.patience)
        except ApiError:
            raise NotAgainError from None

    def end(self) -> None:
        """Undeploy what this life deployed; where deployments at once are few, wait until they are gone."""
        client = PipelineClient(self.session.send)
        with self.session.labelled(Mark.CLEANING):
            ending = list(self.session.ledger.live())
            for deployment in ending:
                if deployment.stage is Stage.DEPLOYED:
                    client.undeploy(deployment_id=deployment.id)
            for deployment in ending if self.waits else ():
                try:
                    until_gone(client, deployment.name, self.patience)
                except ApiError:
                    continue


class Replayer:
    """Lives sequences again on one target, at most `most` times; each `waits` for the end of what it deployed."""

    def __init__(self, session: Session, prefix: str, most: int, *, waits: bool = False) -> None:
        self._session, self._prefix, self.left = session, prefix, most
        self._patience, self._waits = Patience(_WAIT_SECONDS), waits
        self._count = 0

    def life(self, *, last: bool = False) -> Life:
        """A new life. Raises NoVerdictError once there were enough, unless it is the `last` of a finding."""
        if self.left <= 0 and not last:
            raise NoVerdictError("No more replays.")
        self.left -= 1
        self._count += 1
        return Life(
            Session(self._session.target, self._session.rules), self._prefix, self._count, self._patience, self._waits
        )

    def shows(self, exchanges: Sequence[Exchange], finding: Finding) -> tuple[Exchange, ...] | None:
        """What was exchanged where the sequence, lived again, breaks the finding's requirement; None where not."""
        kept: list[Exchange] = []
        life = self.life()
        life.session.keep_with(kept.append)
        try:
            life.live(exchanges[:-1])
            life.again(exchanges[-1])
        except NotAgainError:
            pass
        finally:
            found = shown_by(life.session, finding)
            sent = tuple(kept)
            life.end()
        return sent if found is not None else None


def shown_by(session: Session, finding: Finding) -> Finding | None:
    """The finding of that requirement and operation that a session has come to, None where it has come to none."""
    trace = session.traces.get((finding.requirement, finding.operation))
    return trace.finding if trace else None


def _awaited(exchange: Exchange) -> str:
    if exchange.operation != _STATUS:
        return ""
    if exchange.status == 404:
        return GONE if Mark.NEVER_WAS not in exchange.labels and exchange.intent != "invalid" else ""
    answer = exchange.answer
    return RUNNING if isinstance(answer, dict) and answer.get("status") == RUNNING else ""
