"""What is being waited for in this process, so that whoever shows a run's progress can say it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Wait:
    """One wait: `what` as in "waiting for …", `began` on time.monotonic, and `at_most` seconds from then."""

    what: str
    began: float
    at_most: float


_open: dict[object, Wait] = {}
"""Waits by an object of their own: threads may wait at the same time."""


@contextmanager
def awaiting(what: str, at_most: float, began: float | None = None) -> Iterator[None]:
    """Whatever is done inside is waiting for `what`, for `at_most` seconds from `began` (by default from now)."""
    key = object()
    _open[key] = Wait(what, time.monotonic() if began is None else began, at_most)
    try:
        yield
    finally:
        del _open[key]


def oldest() -> Wait | None:
    """The wait that began first, None where nothing is waited for."""
    return min(list(_open.values()), key=lambda wait: wait.began, default=None)


_SHORT_SECONDS = 5.0


class WaitBudget:
    """The longest wait, in seconds, until it was once waited in vain: then waits for the same end are short.

    A target whose deployments never come to run, or never end, would otherwise cost a run one whole wait for each.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._vain: set[str] = set()

    def seconds(self, end: str) -> float:
        """How long to wait for that end (`Running`, `404`, `routed`)."""
        return min(self._seconds, _SHORT_SECONDS) if end in self._vain else self._seconds

    def gave_up(self, end: str) -> bool:
        """Whether a whole wait for that end was in vain."""
        return end in self._vain

    def ran_out(self, end: str) -> None:
        """Remember that a whole wait for that end was in vain."""
        self._vain.add(end)
