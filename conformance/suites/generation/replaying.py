"""Replays a recorded sequence with fresh names and ids: which exchanges it needs, and what each gives to later ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.api import multipart
from conformance.api.client import ApiError, PipelineClient
from conformance.api.operations import (
    Kind,
    asked,
    fields_of,
    given,
    owner,
    row_of,
    split_name,
    with_fields_changed,
    with_path_changed,
)
from conformance.errors import NoVerdictError
from conformance.ledger import Stage
from conformance.model import Effect, Exchange, Finding, Headers, Mark, Purpose, Request
from conformance.run.session import Session
from conformance.suites.waiting import GONE, RUNNING, until_gone, until_running
from conformance.targets.waits import WaitBudget

# ---- ids and names that one exchange gives and another uses ----------------------------------------------------------


Token = tuple[str, Any]
"""A kind of value and the value: `("pipeline", 25)`; all names are of one kind: `("name", "conformance-…")`."""

Substitute = Callable[[str, Any], Any]
"""The replay's value for a recorded value of that kind."""

NAME = "name"


def gives(exchange: Exchange) -> Iterator[Token]:
    """The values that a success gave, by kind, in a fixed order."""
    return ((at.kind, value) for at, _, value in given(exchange))


def made_name(exchange: Exchange) -> Token | None:
    """The name that an exchange makes, None where it makes none."""
    row = row_of(exchange.operation)
    if not row.named_by or row.effect is not Effect.CREATE:
        return None
    name = fields_of(row.id, exchange.request).get(row.named_by)
    return (NAME, name) if isinstance(name, str) else None


def owned(exchange: Exchange) -> Iterator[tuple[Token, Token | None]]:
    """Each value that a success gave, with the thing it is of where the answer tells of many things."""
    return (((at.kind, value), owner(exchange, at, way)) for at, way, value in given(exchange))


def renewed(old: Exchange, new: Exchange, known: dict[Token, Any]) -> None:
    """Learn from the same call made again which value stands for which."""
    given_now = list(owned(new))
    for token, thing in owned(old):
        wanted = None if thing is None else (thing[0], known.get(thing))
        for other in given_now:
            if other[0][0] == token[0] and other[1] == wanted:
                known[token] = other[0][1]
                given_now.remove(other)
                break


def uses(exchange: Exchange) -> set[Token]:
    """Every id and name that a request speaks of."""
    found: set[Token] = set()

    def collect(kind: str, value: Any) -> Any:
        if isinstance(value, int | str) and not isinstance(value, bool):
            found.add((kind, value))
        return value

    rewritten(exchange.operation, exchange.request, collect)
    return found


def rewritten(operation: str | None, request: Request, substitute: Substitute) -> Request:
    """The request with every id and name passed through `substitute`."""

    def change(kind: Kind, value: Any) -> Any:
        if kind is not Kind.DEPLOYMENT_NAME:
            return substitute(NAME if kind.is_name else kind, value)
        parts = split_name(value)
        if parts is None:
            return value
        return f"{substitute(NAME, parts[0])}-{substitute(Kind.DEPLOYMENT, parts[1])}"

    row = row_of(operation)
    request = replace(request, url=with_path_changed(operation, request.url, change))
    body = asked(operation, request)
    if not isinstance(body, dict) or not row.id:
        return request
    changed = json.dumps(with_fields_changed(row, body, change)).encode()
    return _form(request, row.part, changed) if row.part else replace(request, body=changed)


def _form(request: Request, name: str, content: bytes) -> Request:
    """The form with another content of one part."""
    parts = multipart.decode(request.headers.get("content-type", ""), request.body).values()
    kind, body = multipart.encode([replace(part, content=content) if part.name == name else part for part in parts])
    fields = [(name, kind if name.lower() == "content-type" else value) for name, value in request.headers.fields]
    return replace(request, headers=Headers(fields), body=body)


# ---- the exchanges that a finding needs ------------------------------------------------------------------------------


def without_models(exchange: Exchange) -> Exchange:
    """A create or deploy that speaks of no model; any other exchange as it is."""
    question = exchange.question
    fields = {"pipelines.create": ("definition",), "pipelines.deploy": ("models", "model_ids", "model_configs")}
    named = [
        name for name in fields.get(exchange.operation or "", ()) if isinstance(question, dict) and name in question
    ]
    if not named:
        return exchange
    plain = {key: value for key, value in question.items() if key not in named}
    return replace(exchange, request=with_body(exchange.request, plain))


def kept_operations(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """All but those that make or list models."""
    return [e for e in exchanges if e.operation not in ("models.list-versions", "models.upload-and-convert")]


def with_body(request: Request, body: Any) -> Request:
    """The request with another JSON body."""
    return replace(request, body=json.dumps(body).encode())


def collapsed(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Each exchange once, and of the polls of one deployment in a row the last."""
    seen: set[int] = set()
    kept: list[Exchange] = []
    for exchange in exchanges:
        if id(exchange) in seen:
            continue
        seen.add(id(exchange))
        polled = kept and exchange.operation == kept[-1].operation == "status.get-deployment"
        if polled and exchange.request.body == kept[-1].request.body:
            kept.pop()
        kept.append(exchange)
    return kept


def _tokens_given(exchange: Exchange) -> set[Token]:
    found: set[Token] = {token for token in gives(exchange) if isinstance(token[1], int | str)}
    name = made_name(exchange)
    return found | ({name} if name and exchange.ok else set())


def _needs(exchange: Exchange, wanted: set[Token]) -> set[Token]:
    """What an exchange cannot do without. Of a list of versions that is the uploads whose rows are wanted of it."""
    picked = {thing for token, thing in owned(exchange) if thing and token in wanted}
    if picked:
        return picked
    used = uses(exchange)
    # A model is named by its version; a name of its own is needed where nothing else leads to what it names.
    return used if _asks_by_name(exchange) else {token for token in used if token[0] != NAME}


def _asks_by_name(exchange: Exchange) -> bool:
    row = row_of(exchange.operation)
    return not row.changes and row.named_by != "" and row.kinds[row.named_by].is_name


def givers(history: Sequence[Exchange], chosen: Sequence[Exchange]) -> list[Exchange]:
    """The chosen exchanges and what they cannot do without: the first giver of each id they use, and theirs."""
    first: dict[Token, int] = {}
    for index, exchange in enumerate(history):
        for token in _tokens_given(exchange):
            first.setdefault(token, index)
    place = {id(exchange): index for index, exchange in enumerate(history)}
    kept: set[int] = set()
    wanted: set[Token] = set()
    waiting = [place[id(exchange)] for exchange in chosen if id(exchange) in place]
    while waiting:
        index = max(waiting)
        waiting.remove(index)
        if index in kept:
            continue
        kept.add(index)
        needs = _needs(history[index], wanted)
        wanted |= needs
        waiting += [first[token] for token in needs if token in first and first[token] < index]
        if history[index].operation == "pipelines.infer":
            waiting += _running_poll(history, index)
    return [history[index] for index in sorted(kept)]


def _running_poll(history: Sequence[Exchange], before: int) -> list[int]:
    """Where the deployment that an inference is sent to was last seen Running before it."""
    served = {token for token in uses(history[before]) if token[0] == "deployment"}
    polls = [
        index for index, exchange in enumerate(history[:before])
        if exchange.operation == "status.get-deployment" and _runs(exchange) and uses(exchange) & served
    ]  # fmt: skip
    return polls[-1:]


def _runs(exchange: Exchange) -> bool:
    answer = exchange.answer
    return exchange.ok and isinstance(answer, dict) and answer.get("status") == "Running"


def touching(history: Sequence[Exchange], needed: Sequence[Exchange]) -> list[Exchange]:
    """Those, and others that speak of the same things as the last: of each operation the first and the last two."""
    last = needed[-1]
    about = {token for token in uses(last) | _tokens_given(last) if token[0] in _TOLD}
    # What was deployed of it is of the same: an undeploy may name that alone.
    about |= {
        token
        for exchange in history
        if uses(exchange) & about
        for token in _tokens_given(exchange)
        if token[0] == "deployment"
    }
    extra: dict[str, list[Exchange]] = {}
    for exchange in history:
        if any(exchange is one for one in needed) or _asks_by_name(exchange):
            continue
        if (uses(exchange) | _tokens_given(exchange)) & about:
            extra.setdefault(exchange.operation or "", []).append(exchange)
    some = [e for same in extra.values() for e in {id(e): e for e in (*same[:1], *same[-2:])}.values()]
    return givers(history, [*needed, *some])


_TOLD = frozenset({"pipeline", "deployment", "name", "variant"})


def dependents(exchanges: Sequence[Exchange], removed: Exchange) -> list[Exchange]:
    """The exchange and every later one that uses what only it gave."""
    gone = [removed]
    lost = set(_tokens_given(removed))
    place = next(index for index, exchange in enumerate(exchanges) if exchange is removed)
    for exchange in exchanges[place + 1 :]:
        others = {t for e in exchanges if not any(e is g for g in gone) for t in _tokens_given(e)}
        if (uses(exchange) & lost) - others:
            gone.append(exchange)
            lost |= _tokens_given(exchange)
    return gone


# ---- the replay ------------------------------------------------------------------------------------------------------


_STATUS = "status.get-deployment"
_WAIT_SECONDS = 15.0
_OURS_TO_SET = frozenset({"authorization", "user-agent", "accept-encoding"})
_LONG_NAME = 50
"""Names from this length on keep their length: it may be what matters."""


class NotAgainError(Exception):
    """The sequence did not go as it did the first time."""


@dataclass
class Replay:
    """One replay of a sequence. `known` maps recorded ids and names to those of this replay."""

    session: Session
    prefix: str
    number: int
    budget: WaitBudget
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

    def send_all(self, exchanges: Sequence[Exchange]) -> None:
        """Send all of them; raises NotAgainError where one that succeeded then does not now."""
        for exchange in exchanges:
            new = self.resend(exchange)
            if exchange.ok and not new.ok:
                raise NotAgainError
            renewed(exchange, new, self.known)

    def resend(self, exchange: Exchange) -> Exchange:
        """Send one exchange's request again; where the recorded answer said Running or 404, wait for that first."""
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
        """The exchange's request with this replay's names and ids, without the headers that the target adds itself."""
        request = exchange.request
        stranger = bool(Purpose.IDENTITY.words(exchange.labels))
        fields = [
            (name, value)
            for name, value in request.headers.fields
            if name.lower() not in _OURS_TO_SET or (stranger and name.lower() == "authorization")
        ]
        return rewritten(exchange.operation, replace(request, headers=Headers(fields)), self.substitute)

    def _ending(self, request: Request) -> bool:
        """Whether the deployment was undeployed in this replay: else waiting for its end would be in vain."""
        known = self.session.ledger.deployment_named(request.json["name"])
        return known is not None and known.stage is not Stage.DEPLOYED

    def _wait(self, request: Request, awaited: str) -> None:
        client = PipelineClient(self.session.send)
        name = request.json["name"]
        try:
            (until_running if awaited == RUNNING else until_gone)(client, name, self.budget)
        except ApiError:
            raise NotAgainError from None

    def end(self) -> None:
        """Undeploy what this replay deployed; where deployments at once are few, wait until they are gone."""
        client = PipelineClient(self.session.send)
        with self.session.labelled(Mark.CLEANING):
            ending = list(self.session.ledger.live())
            for deployment in ending:
                if deployment.stage is Stage.DEPLOYED:
                    client.undeploy(deployment_id=deployment.id)
            for deployment in ending if self.waits else ():
                try:
                    until_gone(client, deployment.name, self.budget)
                except ApiError:
                    continue


class Replayer:
    """Replays sequences on one target, at most `most` times. Each replay `waits` for the end of what it deployed."""

    def __init__(self, session: Session, prefix: str, most: int, *, waits: bool = False) -> None:
        self._session, self._prefix, self.left = session, prefix, most
        self._budget, self._waits = WaitBudget(_WAIT_SECONDS), waits
        self._count = 0

    def replay(self, *, last: bool = False) -> Replay:
        """A new replay. Raises NoVerdictError after `most` of them, unless it is the `last` of a finding."""
        if self.left <= 0 and not last:
            raise NoVerdictError("No more replays.")
        self.left -= 1
        self._count += 1
        return Replay(
            Session(self._session.target, self._session.rules), self._prefix, self._count, self._budget, self._waits
        )

    def shows(self, exchanges: Sequence[Exchange], finding: Finding) -> tuple[Exchange, ...] | None:
        """What was exchanged where the sequence, replayed, breaks the finding's requirement; None where not."""
        kept: list[Exchange] = []
        replay = self.replay()
        replay.session.keep_with(kept.append)
        try:
            replay.send_all(exchanges[:-1])
            replay.resend(exchanges[-1])
        except NotAgainError:
            pass
        finally:
            found = shown_by(replay.session, finding)
            sent = tuple(kept)
            replay.end()
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
    # What a start looks like is seen by asking until it is over: one look may come too early.
    return RUNNING if isinstance(answer, dict) and answer.get("status") in (RUNNING, "Starting") else ""
