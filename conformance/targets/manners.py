"""Manners towards a target: how fast it is asked, and how long to wait before asking again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from conformance.model import Response

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
