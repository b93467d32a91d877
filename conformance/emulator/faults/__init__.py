"""Deliberate defects of the emulated instance, each a value; this is the whole list."""

from __future__ import annotations

import difflib

from conformance.emulator.faults import (
    deployments,
    fields,
    http,
    inference,
    load,
    pipelines,
    prerequisites,
    requests,
    status,
    tokens,
    whole,
)
from conformance.emulator.faults.fault import Fault, middleware_of
from conformance.errors import UsageError

FAULTS: tuple[Fault, ...] = (
    *fields.FAULTS,
    *http.FAULTS,
    *tokens.FAULTS,
    *requests.FAULTS,
    *prerequisites.FAULTS,
    *pipelines.FAULTS,
    *deployments.FAULTS,
    *status.FAULTS,
    *inference.FAULTS,
    *whole.FAULTS,
    *load.FAULTS,
)

FOUND_BY_SUITES = tuple(fault for fault in FAULTS if fault not in load.FAULTS)
"""The faults that `conformance run` finds; the others show under load alone."""

__all__ = ["FAULTS", "FOUND_BY_SUITES", "Fault", "find", "middleware_of"]


def find(fault_id: str) -> Fault:
    """The fault of this id. Raises `UsageError`, naming the nearest, where there is none."""
    by_id = {fault.id: fault for fault in FAULTS}
    if fault_id in by_id:
        return by_id[fault_id]
    nearest = difflib.get_close_matches(fault_id, by_id, 1, 0)[0]
    raise UsageError(f"There is no fault {fault_id!r}; the nearest is {nearest!r}. `conformance faults` lists all.")
