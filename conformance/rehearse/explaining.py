"""Why a cell's end is another than on the earlier release: the changes that its own requests and answers show.

A change explains a cell where the same request, on both releases, met what the change says: it was refused on the
later one alone, or its answer differs at the change's own place. What the emulated instance lacks explains nothing of
the user's: it is said apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.drift.changes import Change
from conformance.drift.sources.collection import Upgrade
from conformance.drift.usage.calls import Place
from conformance.drift.usage.reading import Usage, concerns, uses_of
from conformance.emulator import beyond
from conformance.model import Exchange
from conformance.rehearse.environment import REFUSED
from conformance.rehearse.outputs import masked
from conformance.rehearse.running import Ran
from conformance.spec.document import Document

_NOT_IN_SCHEMA = re.compile(r"Cannot query field '?\"?(\w+)|Unknown (?:argument|type) '?\"?(\w+)")
_GUARDED = re.compile(r"A rehearsal (?:lets nothing out|changes no file)[^\n]*")
_NOWHERE = Place("", 1)
_NOTHING = "Nothing has to change."


@dataclass(frozen=True)
class Reason:
    """One explanation: a sentence, what to write instead, and the change's id, empty where the catalogue has none."""

    sentence: str
    now: str
    change: str = ""
    breaking: bool = True


@dataclass(frozen=True)
class Releases:
    """The two releases of a rehearsal, what changed between them, and the operations of each."""

    old: Document
    new: Document
    way: Upgrade

    def reasons(self, before: Ran, now: Ran) -> tuple[Reason, ...]:
        """The changes that a cell met, those that break first; both are of the same cell."""
        found: dict[str, Reason] = {}
        for first, second in _pairs(before.exchanges, now.exchanges, self.old):
            for reason in self._of_pair(first, second):
                found.setdefault(reason.change or reason.sentence, reason)
        told: dict[str, Reason] = {}
        for reason in sorted(found.values(), key=lambda one: not one.breaking):
            told.setdefault(reason.now if reason.now != _NOTHING else reason.sentence, reason)
        return tuple(told.values())

    def expected(self, exchanges: Sequence[Exchange]) -> tuple[Reason, ...]:
        """The breaking changes that concern requests which were not sent on the later release."""
        usage = self._usage(exchanges)
        told = concerns((one for one in self.way.comparison.changes if one.breaking), usage, self.way.unless)
        return tuple(self._reason(one.change) for one in told)

    def _usage(self, exchanges: Sequence[Exchange]) -> Usage:
        uses = [use for exchange in exchanges for use in uses_of(exchange, self.old, _NOWHERE)]
        return Usage((), tuple(dict.fromkeys(uses)), ())

    def _of_pair(self, first: Exchange, second: Exchange) -> Iterator[Reason]:
        match = self.old.match(second.request.method, second.request.path)
        path = second.request.path
        if beyond.offered(path, self.old.profile) and not beyond.offered(path, self.new.profile) and match is None:
            yield Reason(f"{path} is gone in {self.new.profile}.", "Do without this call: the operation is gone.")
        if match is None:
            return
        if first.ok and not second.ok:
            told = concerns(self.way.comparison.changes, self._usage([second]), self.way.unless)
            yield from (self._reason(one.change) for one in told if _refuses(one.change))
        elif first.response and second.response:
            places = list(_differing(_body(first), _body(second), ""))
            own = [one for one in self.way.comparison.changes if one.operation == match[0].id]
            yield from (self._reason(one) for one in own if _shows(one, first, second, places))

    def _reason(self, change: Change) -> Reason:
        what = f"{change.operation}, {change.location}: {change.message}"
        return Reason(what, self.way.becomes.get(change.id, ""), change.id, change.breaking)


def beyond_the_instance(ran: Ran, releases: Releases) -> str:
    """What a cell needs that a rehearsal does not have, as a sentence; empty where it needs nothing of the kind."""
    for exchange in ran.exchanges:
        path, response = exchange.request.path, exchange.response
        if response is None:
            continue
        if REFUSED in response.headers:
            return f"It asks {exchange.request.url.partition('?')[0]}, and a rehearsal lets nothing out."
        if response.status == 501:
            return f"It asks {path}, which the emulated instance does not have."
        unknown = response.status == 404 and _answers_unknown(exchange)
        if unknown and not beyond.offered(path, releases.new.profile) and beyond.offered(path, releases.old.profile):
            continue
        if unknown and releases.old.match(exchange.request.method, path) is None:
            return f"It asks {path}, which the emulated instance does not know."
    said = f"{ran.failure or ''}\n{ran.shown.text}"
    guarded = _GUARDED.search(said)
    if guarded:
        return guarded[0]
    missing = _NOT_IN_SCHEMA.search(said)
    if missing and ran.failure:
        return f"It asks for {missing[1] or missing[2]}, which the emulated instance does not have."
    return _of_the_place(ran)


def is_no_python(ran: Ran) -> bool:
    """Whether a cell is prose or a slip that no Python reads: there was nothing to test in it."""
    return ran.failure is not None and ran.failure.name in ("SyntaxError", "IndentationError", "TabError")


def _of_the_place(ran: Ran) -> str:
    name = ran.failure.name if ran.failure else ""
    if name == "StdinNotImplementedError" or (name == "EOFError" and "reading a line" in str(ran.failure)):
        return "It asks its reader to type something, and nobody is there."
    if is_no_python(ran):
        return f"It is no Python that can be run, on any release: {ran.failure}."
    if name == "Usage":
        return f"It wants arguments, and a rehearsal gives none: {ran.failure.message if ran.failure else ''}"
    if name in ("ModuleNotFoundError", "DeadKernelError"):
        return f"{ran.failure}: --python names another interpreter." if name.startswith("M") else "The kernel died."
    return ""


def _answers_unknown(exchange: Exchange) -> bool:
    answer = exchange.answer
    return isinstance(answer, dict) and answer.get("msg") == "Not found"


def _pairs(
    before: Sequence[Exchange], now: Sequence[Exchange], document: Document
) -> Iterator[tuple[Exchange, Exchange]]:
    """The k-th request of an operation on one release with the k-th on the other."""
    waiting: dict[str, list[Exchange]] = {}
    for exchange in before:
        waiting.setdefault(_kind(exchange, document), []).append(exchange)
    for exchange in now:
        others = waiting.get(_kind(exchange, document), [])
        if others:
            yield others.pop(0), exchange


def _kind(exchange: Exchange, document: Document) -> str:
    match = document.match(exchange.request.method, exchange.request.path)
    return match[0].id if match else f"{exchange.request.method} {exchange.request.path}"


def _refuses(change: Change) -> bool:
    return change.breaking and not change.location.startswith("response")


_ABSENT: Any = object()


def _body(exchange: Exchange) -> Any:
    response = exchange.response
    assert response is not None
    return response.json if response.is_json else response.body.decode("utf-8", "replace")


def _differing(first: Any, second: Any, at: str) -> Iterator[str]:
    """The places where two answers differ by more than what is another in every run, in the words of a change's."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in {**first, **second}:
            yield from _differing(first.get(name, _ABSENT), second.get(name, _ABSENT), f"{at}.{name}")
    elif isinstance(first, list) and isinstance(second, list):
        for one, other in zip(first, second, strict=False):
            yield from _differing(one, other, f"{at}[]")
    elif type(first) is not type(second) or (isinstance(first, str) and masked(first) != masked(second)):
        yield at


def _shows(change: Change, first: Exchange, second: Exchange, places: Sequence[str]) -> bool:
    """Whether two answers to the same request show a change: by their status, or at its place in the body."""
    found = re.fullmatch(r"response\.(\w+?)(?:\.body(.*))?", change.location)
    if not found:
        return False
    status, own = found[1], found[2]
    if own is None:
        return status == str(second.status) and first.status != second.status
    if status not in (str(second.status), "default"):
        return False
    return any(place == own or _inside(place, own) or _inside(own, place) for place in places)


def _inside(place: str, holder: str) -> bool:
    return place.startswith(holder) and place[len(holder) : len(holder) + 1] in (".", "[")
