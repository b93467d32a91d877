"""Liberties: what an instance may do otherwise without breaking a promise, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from conformance.emulator import liberties
from conformance.emulator.settings import Settings
from conformance.emulator.world import Around

Advice = Mapping[str, Around]

LIBERTIES: tuple[Callable[[Random], Advice], ...] = (
    liberties.unknown_fields,
    liberties.lists_in_another_order,
    liberties.spaced_json,
    liberties.gateway_headers,
    liberties.plain_refusals,
    liberties.plain_unauthorized,
    liberties.missing_at_first,
    liberties.ready_before_running,
    liberties.passing_error,
    liberties.more_pods,
    liberties.owners_as_quotes,
    liberties.models_not_ready_at_once,
    liberties.ids_far_apart,
    liberties.host_without_its_label,
    liberties.version_in_metadata,
    liberties.unrouted_before_running,
)
"""All there are; a seed takes each with a chance of three in four."""


def varied(settings: Settings, seed: int) -> tuple[Settings, dict[str, tuple[Around, ...]]]:
    """The settings of an instance that starts and stops more slowly, and the advice of its liberties, by step."""
    chance = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    steps: dict[str, tuple[Around, ...]] = {}
    for liberty in LIBERTIES:
        drawn, own = chance.random() < 0.75, Random(chance.random())  # noqa: S311
        for step, around in (liberty(own) if drawn else {}).items():
            steps[step] = (*steps.get(step, ()), around)
    slower = replace(
        settings,
        start_seconds=settings.start_seconds + chance.uniform(0, 1),
        stop_seconds=settings.stop_seconds + chance.uniform(0, 1),
    )
    return slower, steps


def joined(*advice: Mapping[str, tuple[Around, ...]]) -> dict[str, tuple[Around, ...]]:
    """Several sets of advice as one; the first is outermost."""
    steps: dict[str, Any] = {}
    for each in advice:
        for step, arounds in each.items():
            steps[step] = (*steps.get(step, ()), *arounds)
    return steps
