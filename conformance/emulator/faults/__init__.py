"""Deliberate defects of the emulated instance, each a value; this is the whole list."""

from __future__ import annotations

import difflib

from conformance.emulator.faults import (
    aftermath,
    bodies,
    copies,
    forms,
    headers,
    idempotence,
    identity,
    laxness,
    leaks,
    life,
    listings,
    readings,
    relations,
    results,
    service,
    shapes,
    statuses,
    strain,
    unknowns,
    uploads,
)
from conformance.emulator.faults.fault import Fault, arounds_of
from conformance.errors import UsageError

FAULTS: tuple[Fault, ...] = (
    *bodies.FAULTS,
    *statuses.FAULTS,
    *headers.FAULTS,
    *identity.FAULTS,
    *listings.FAULTS,
    *relations.FAULTS,
    *life.FAULTS,
    *idempotence.FAULTS,
    *copies.FAULTS,
    *results.FAULTS,
    *laxness.FAULTS,
    *unknowns.FAULTS,
    *strain.FAULTS,
    *shapes.FAULTS,
    *aftermath.FAULTS,
    *leaks.FAULTS,
    *service.FAULTS,
    *forms.FAULTS,
    *uploads.FAULTS,
    *readings.FAULTS,
)

__all__ = ["FAULTS", "Fault", "arounds_of", "find"]


def find(fault_id: str) -> Fault:
    """The fault of this id. Raises `UsageError`, naming the nearest, where there is none."""
    by_id = {fault.id: fault for fault in FAULTS}
    if fault_id in by_id:
        return by_id[fault_id]
    nearest = difflib.get_close_matches(fault_id, by_id, 1, 0)[0]
    raise UsageError(f"There is no fault {fault_id!r}; the nearest is {nearest!r}. `conformance faults` lists all.")
