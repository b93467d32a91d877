"""Manners towards a target: how fast it is asked, and how long to wait before asking again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection
from email.utils import parsedate_to_datetime
from hashlib import sha256

from conformance.api import multipart
from conformance.api.operations import fields_of
from conformance.model import Exchange, Request, Response
from conformance.targets.safety.holdings import Holdings

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
_SLOWER, _FASTER, _FIRST_INTERVAL, _LONGEST_INTERVAL = 1.5, 0.995, 0.02, 2.0


def pause(attempt: int) -> float:
    """Seconds to wait before asking again for the nth time, from 0: doubled each time."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 16))


def retry_after(response: Response) -> float | None:
    """The seconds that Retry-After names, as a number or a date (RFC 9110 10.2.3); None where it names none."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError):
        return None


class Pace:
    """Keeps an interval between requests: the one asked for, and a longer one while the target says it is too much.

    Each refusal for haste makes it half as long again, each answer a little shorter, so that it settles just under what
    the target takes. Threads may share it.
    """

    def __init__(
        self,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._least = 1 / rate if rate else 0.0
        self._interval, self._next, self._slowed = self._least, 0.0, 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()

    def await_turn(self) -> None:
        """Wait until the next request may be sent."""
        with self._lock:
            if not self._interval:
                return
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            self._sleep(turn - now)

    def answered(self) -> None:
        """A request was taken."""
        with self._lock:
            shorter = self._interval * _FASTER
            self._interval = max(self._least, shorter if shorter > _FIRST_INTERVAL / 2 else 0.0)

    def slow_down(self, sent: float) -> None:
        """A request was refused for haste that was sent then; of several sent at once the first alone counts."""
        with self._lock:
            if sent < self._slowed:
                return
            self._slowed = self._clock()
            self._interval = min(_LONGEST_INTERVAL, max(self._interval * _SLOWER, _FIRST_INTERVAL))


Ask = Callable[[str, bytes], Exchange]
"""Posts a body to a read (`workspaces/list`), and is not judged."""


def was_done(operation: str, request: Request, ask: Ask, holdings: Holdings | None) -> bool | None:
    """Whether the request was carried out; None where that cannot be told.

    What was there before is told apart by the holdings: where they hold what bears that name, nothing is known.
    """
    fields = fields_of(operation, request)
    if operation == "workspaces.create":
        return _among(ask("workspaces/list", b"{}"), fields.get("workspace_name"), _of(holdings, "workspaces"))
    if operation == "models.upload-and-convert":
        body = json.dumps({"model_id": fields.get("name")}).encode()
        return _listed(ask("models/list_versions", body), request, _of(holdings, "models"))
    return None  # no read tells of a pipeline that is not deployed


def _of(holdings: Holdings | None, kind: str) -> dict[int, str]:
    return dict(getattr(holdings, kind)) if holdings else {}


def _among(listed: Exchange, name: object, known: dict[int, str]) -> bool | None:
    rows = listed.answer.get("workspaces") if listed.ok and isinstance(listed.answer, dict) else None
    if not isinstance(rows, list) or name in known.values():
        return None
    return any(isinstance(row, dict) and row.get("name") == name for row in rows)


def _listed(listed: Exchange, request: Request, known: Collection[int]) -> bool | None:
    part = multipart.decode(request.headers.get("content-type", ""), request.body).get("file")
    if part is None or not listed.ok or not isinstance(listed.answer, list):
        return None
    digest = sha256(part.content).hexdigest()
    return any(
        isinstance(row, dict) and row.get("sha") == digest and row.get("id") not in known for row in listed.answer
    )
