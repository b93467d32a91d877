"""The last line of defence: what a request may touch, decided before it leaves this machine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from conformance.api.operations import INFER, OPERATIONS, Kind, fields_of, row_of
from conformance.errors import LimitReachedError, SuiteError, TargetUnreachableError
from conformance.model import Effect, Exchange, Operation, Request
from conformance.targets.safety.holdings import Holdings

NEVER_GIVEN = 2_147_000_000
"""Ids from here on no instance has given yet: requests that must be refused may name them."""

_ID = re.compile(r"\d+")
_DEPLOYMENT_NAME = re.compile(r"-\d+$")


class RefusedError(SuiteError):
    """A request that must not leave this machine: it would touch what this run did not make."""


class Effects(StrEnum):
    """What a run may do: read only; make things and touch those alone; or anything."""

    READ = "read"
    OWN = "own"
    FULL = "full"


class Guard:
    """Refuses what the effects allowed to a run do not cover.

    Every name this run gives begins with the holdings' prefix; a pipeline or workspace counts as ours once the target
    answered our creating it under such a name. `workspaces` are ids that were given to the run.
    """

    def __init__(
        self, holdings: Holdings, effects: Effects = Effects.OWN, workspaces: Collection[int] = frozenset()
    ) -> None:
        self._holdings, self._effects, self._workspaces = holdings, effects, frozenset(workspaces)

    def refuse(self, operation: Operation | None, request: Request) -> None:
        """Raises RefusedError where the request would touch what it may not. `operation` is what its path means."""
        if operation is None or self._effects is Effects.FULL or request.method in ("HEAD", "OPTIONS"):
            return
        if operation.effect is Effect.READ:
            return
        if self._effects is Effects.READ:
            raise RefusedError(f"{operation.id} was refused before it was sent: this run may only read.")
        if operation.id == INFER:
            self._deployment(request)
        else:
            self._name(operation.id, request)
            self._numbers(operation.id, request)

    def _deployment(self, request: Request) -> None:
        label = unquote(urlsplit(request.url).path).rstrip("/").split("/")[-2]
        if _DEPLOYMENT_NAME.search(label) and not label.startswith(self._holdings.prefix):
            raise RefusedError("An inference was refused before it was sent: this run did not make that deployment.")

    def _name(self, operation: str, request: Request) -> None:
        row = row_of(operation)
        wanted = {row.named_by, row.starts} - {""}
        for key, value in _pairs(_content(operation, request)):
            if key in wanted and isinstance(value, str) and value and not value.startswith(self._holdings.prefix):
                raise RefusedError(
                    f"{operation} was refused before it was sent: names that this run gives begin with "
                    f"{self._holdings.prefix}, and this one does not."
                )

    def _numbers(self, operation: str, request: Request) -> None:
        known = self._holdings
        things: Mapping[Kind, Collection[object]] = {
            Kind.WORKSPACE: self._workspaces | known.workspaces.keys(),
            Kind.PIPELINE: known.pipelines,
            Kind.VARIANT: known.versions,
            Kind.VERSION: known.versions,
            Kind.DEPLOYMENT: known.deployments.keys() | known.ended,
        }
        # A server may read fields of other operations too; what its own row calls a name is none of these.
        kinds = {at.field: at.kind for row in OPERATIONS for at in row.takes if at.kind in things}
        kinds |= row_of(operation).kinds
        owned = {field: things[kind] for field, kind in kinds.items() if kind in things}
        for key, value in _pairs(_content(operation, request)):
            for number in _meant(value) if key in owned or key == "" else ():
                ours = owned[key] if key else {one for many in owned.values() for one in many}
                if number not in ours and number < NEVER_GIVEN:
                    raise RefusedError(
                        f"{operation} of {number} was refused before it was sent: this run did not make it."
                    )
            if (
                kinds.get(key) is Kind.VERSION
                and isinstance(value, str)
                and _is_uuid(value)
                and value not in owned[key]
            ):
                raise RefusedError(f"{operation} of a version was refused before it was sent: it is not this run's.")


def _content(operation: str, request: Request) -> bytes:
    """What a server might read fields from: the body, or the metadata of an upload."""
    if row_of(operation).part:
        return json.dumps(fields_of(operation, request)).encode()
    return request.body


def _pairs(content: bytes) -> Iterator[tuple[str, object]]:
    """The fields of a JSON object, repeated ones too; of any other body each value, under no name.

    A list may be read as an object whose fields come in order, and what is no JSON by a lenient parser.
    """
    outermost: list[tuple[str, object]] = []

    def kept(pairs: list[tuple[str, object]]) -> dict[str, object]:
        outermost[:] = pairs
        return dict(pairs)

    try:
        body = json.loads(content, object_pairs_hook=kept)
    except (ValueError, RecursionError):
        text = content.decode("utf-8", "replace")
        yield from (("", int(number)) for number in _ID.findall(text) if len(number) < 19)
        return
    if isinstance(body, dict):
        yield from outermost
    else:
        yield "", body


def _meant(value: object) -> Iterator[int]:
    """The id that a careless server might read from a value."""
    if isinstance(value, str):
        value = value.strip()
        yield from [int(value)] if _ID.fullmatch(value) and len(value) < 19 else []
    elif isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        yield int(value)
    elif isinstance(value, int) and value > 0:
        yield value
    elif isinstance(value, list):
        for item in value[:100]:
            yield from _meant(item)


def _is_uuid(value: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value) is not None


def plain_path(path: str) -> str:
    """A path as a lenient server might read it: decoded, lower case, without doubled or trailing slashes or dots."""
    segments: list[str] = []
    for segment in unquote(path).lower().split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


_TRIES_AT_5XX = 10
_TRIES_AT_429 = 5
_ENDING = frozenset({"pipelines.undeploy", "status.get-deployment"})


@dataclass(frozen=True)
class Limits:
    """Ceilings of one process: deployments of ours at once, and minutes that they run, added up. None means none."""

    deployments: int | None = None
    minutes: float | None = None

    def check(self, operation: Operation | None, request: Request, holdings: Holdings) -> None:
        """Raises RefusedError or LimitReachedError where a request would pass a ceiling; what undeploys never does."""
        if operation is None or operation.id in _ENDING:
            return
        if self.minutes is not None and operation.effect is not Effect.READ:
            run = holdings.minutes_deployed()
            if run > self.minutes:
                raise LimitReachedError(
                    f"Deployments of this run have run for {run:.0f} minutes, and {self.minutes:g} are allowed. "
                    "Raise --max-minutes."
                )
        at_once = len(holdings.deployments)
        if self.deployments is not None and at_once >= self.deployments and holdings.grows_by(operation.id, request):
            raise RefusedError(
                f"To deploy another was refused before it was sent: {at_once} deployments of this run are up, and at "
                "most "
                f"{self.deployments} may be at once. Raise --max-deployments."
            )


UNLIMITED = Limits()


class CircuitBreaker:
    """Stops a run whose target fails on everything, or asks us to slow down and goes on asking.

    Ten answers of 5xx in a row are taken for an outage once every harmless read fails too: one operation that is
    broken, or bad input that is answered by 500 (as recorded), stops nothing.
    """

    def __init__(self) -> None:
        self._failed = self._slowed = 0
        self._lock = threading.Lock()

    def after(self, exchange: Exchange, reads: Callable[[], bool]) -> None:
        """Count an answer. Raises TargetUnreachableError where it is time to stop.

        `reads` says whether any read is still answered well.
        """
        with self._lock:
            self._slowed = self._slowed + 1 if exchange.status == 429 else 0
            self._failed = self._failed + 1 if (exchange.status or 0) >= 500 else 0
            slowed, failed = self._slowed >= _TRIES_AT_429, self._failed >= _TRIES_AT_5XX
            if failed:
                self._failed = 0
        if slowed:
            raise TargetUnreachableError(
                f"The target answered 429 to {_TRIES_AT_429} requests in a row, however long we waited. "
                "Run again later, or with a smaller --budget."
            )
        if failed and not reads():
            raise TargetUnreachableError(
                f"The target answered {_TRIES_AT_5XX} requests in a row by 5xx (the last by {exchange.status}), and "
                "plain reads after them no better. Run again when it is well."
            )
