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
