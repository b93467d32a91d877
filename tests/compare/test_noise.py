"""What varies by itself is described, and a new side is held to the description."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from conformance.compare.answers import Answer, Reader
from conformance.compare.noise import Deviation, Learned
from conformance.model import Exchange
from tests.compare.made import ORIGIN, exchange

NOW = 1_700_000_000.0
Make = Callable[[random.Random, int, float], Any]

_DAY_MS = 86_400_000


def one_pass(make: Make, seed: int, steps: int = 40, operation: str = "pipelines.infer") -> dict[int, Answer]:
    draw, reader = random.Random(seed), Reader("aaaaaaaa", ORIGIN)
    uploads = [{"models": [{"id": number}]} for number in range(10, 420)]
    reader.read(exchange("models.upload-and-convert", {}, {"insert_models": {"returning": uploads}}, status=202), 0)
    return {
        step: reader.read(_exchange(operation, make(draw, step, NOW + step), NOW + step), step)
        for step in range(1, steps + 1)
    }


def _exchange(operation: str, answer: Any, at: float) -> Exchange:
    return exchange(operation, {}, answer, at=at)


def told(old: Make, new: Make, operation: str = "pipelines.infer") -> set[tuple[str, str]]:
    """(place, kind) of what a new side is told for, after two passes of the old."""
    learned = Learned(
        dict.fromkeys(range(1, 41), operation), [one_pass(old, seed, operation=operation) for seed in (1, 2)]
    )
    answers = one_pass(new, 3, operation=operation)
    found: list[Deviation] = [one for step, answer in answers.items() for one in learned.deviations(step, answer)]
    found += learned.overall(answers)
    return {(one.location.removeprefix("response.200.body"), one.kind) for one in found}


def record(**changed: Callable[[random.Random, int, float], Any]) -> Make:
    fields: dict[str, Callable[[random.Random, int, float], Any]] = {
        "time": lambda draw, step, at: int((at - draw.random() / 100) * 1000),
        "elapsed": lambda draw, step, at: [draw.randint(80_000, 900_000), draw.randint(100_000, 4_000_000)],
        "request": lambda draw, step, at: str(uuid.UUID(int=draw.getrandbits(128))),
        "pod": lambda draw, step, at: (
            f"engine-{draw.getrandbits(40):010x}-{draw.choice('abc')}{draw.randint(1000, 9999)}"
        ),
        "created_at": lambda draw, step, at: "2023-11-14T22:13:20.123456+00:00",
        "count": lambda draw, step, at: draw.choice([0, 0, 0, 1]),
        "note": lambda draw, step, at: draw.choice(["ok", "late", None]),
        "ticket": lambda draw, step, at: 1000 + step * 3 + draw.randint(0, 2),
        "out": lambda draw, step, at: [step / 100],
    } | changed
    return lambda draw, step, at: [{name: make(draw, step, at) for name, make in fields.items()}]


def test_the_same_behaviour_with_other_noise_shows_nothing() -> None:
    assert told(record(), record()) == set()


PLANTED: dict[str, tuple[str, Callable[[random.Random, int, float], Any], set[str]]] = {
    "a moment in seconds": ("time", lambda draw, step, at: int(at), {"unit"}),
    "a moment as a text": ("time", lambda draw, step, at: str(int(at * 1000)), {"type"}),
    "a moment a day old": ("time", lambda draw, step, at: int(at * 1000) - _DAY_MS, {"range"}),
    "a moment that is once null": ("time", lambda draw, step, at: None if step == 17 else int(at * 1000), {"null"}),
    "durations in microseconds": ("elapsed", lambda draw, step, at: [draw.randint(80, 900), 700], {"range"}),
    "a negative duration": ("elapsed", lambda draw, step, at: [-5, draw.randint(100_000, 900_000)], {"range"}),
    "one duration in place of two": ("elapsed", lambda draw, step, at: [draw.randint(100_000, 900_000)], {"length"}),
    "durations with fractions": ("elapsed", lambda draw, step, at: [draw.random() * 500_000, 300_000.5], {"type"}),
    "an id without its dashes": ("request", lambda draw, step, at: f"{draw.getrandbits(128):032x}", {"format"}),
    "an id that is a number": ("request", lambda draw, step, at: draw.getrandbits(60), {"type"}),
    "another pod's naming": ("pod", lambda draw, step, at: f"pod.{draw.getrandbits(40):010x}", {"format"}),
    "a pod's name with another first word": (
        "pod", lambda draw, step, at: f"worker-{draw.getrandbits(40):010x}-a{draw.randint(1000, 9999)}",
        {"format"},
    ),
    "a moment of another zone": ("created_at", lambda draw, step, at: "2023-11-15T00:13:20.123456+02:00", {"format"}),
    "a count never seen": ("count", lambda draw, step, at: 7, {"enum"}),
    "a count that is a text": ("count", lambda draw, step, at: "0", {"type"}),
    "a word never seen": ("note", lambda draw, step, at: draw.choice(["ok", "LATE"]), {"enum"}),
    "null nearly always": ("note", lambda draw, step, at: None if step % 20 else "ok", {"null-share"}),
    "counters that fall": ("ticket", lambda draw, step, at: 1000 - step * 3, {"order"}),
    "counters a thousand times as large": ("ticket", lambda draw, step, at: (1000 + step * 3) * 5000, {"range"}),
    "numbers that are off by a little": ("out", lambda draw, step, at: [step / 100 + 0.001], {"value"}),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_a_defect_inside_what_varies_is_told(planted: str) -> None:
    field, make, kinds = PLANTED[planted]
    found = {kind for place, kind in told(record(), record(**{field: make})) if place == f"[].{field}"}
    assert kinds & found
    assert {place for place, _ in told(record(), record(**{field: make}))} == {f"[].{field}"}


def test_a_field_that_is_gone_and_one_that_is_new_are_told_once_each() -> None:
    def without(draw: random.Random, step: int, at: float) -> Any:
        (row,) = record()(draw, step, at)
        return [{name: value for name, value in row.items() if name != "pod"} | {"extra": {"deep": {"er": 1}}}]

    assert told(record(), without) == {("[].pod", "gone"), ("[].extra", "new")}


def test_rows_of_a_computation_in_another_order_are_told() -> None:
    def rows(draw: random.Random, step: int, at: float) -> Any:
        return [{"out": [step + number / 10]} for number in range(3)]

    def swapped(draw: random.Random, step: int, at: float) -> Any:
        return list(reversed(rows(draw, step, at)))

    assert told(rows, swapped) == {("", "order")}


def listing(order: Callable[[random.Random, list[dict[str, Any]]], list[dict[str, Any]]]) -> Make:
    def make(draw: random.Random, step: int, at: float) -> Any:
        rows = [
            {"id": step * 10 + number, "sha": f"{number}", "model_version": f"v{step}-{number}"} for number in range(3)
        ]
        return order(draw, rows)

    return make


def test_a_listing_in_no_order_may_be_in_any() -> None:
    mixed = listing(lambda draw, rows: draw.sample(rows, len(rows)))
    assert told(mixed, mixed, "models.list-versions") == set()


def test_a_listing_that_was_sorted_and_is_no_longer_is_told() -> None:
    rising, mixed = listing(lambda draw, rows: rows), listing(lambda draw, rows: draw.sample(rows, len(rows)))
    assert ("", "order") in told(rising, mixed, "models.list-versions")


@pytest.mark.parametrize(("share", "kind"), [(0.0, None), (3e-7, None), (3e-6, "precision"), (0.5, "value")], ids=str)
def test_a_computed_number_is_held_to_a_millionth_of_its_own_size(share: float, kind: str | None) -> None:
    def made(factor: float) -> Make:
        return lambda draw, step, at: [{"out": {"dense_1": [0.0014974177 * step * factor]}}]

    wanted = {("[].out.dense_1", kind)} if kind else set()
    assert told(made(1.0), made(1.0 + share)) == wanted


def test_whole_numbers_are_held_exactly() -> None:
    def made(more: int) -> Make:
        return lambda draw, step, at: [{"out": {"label": [70_000_000 + step + more, 3]}}]

    assert told(made(0), made(1)) == {("[].out.label", "value")}


def while_waiting(old: Any, new: Any) -> set[tuple[str, str]]:
    """(location, kind) of what a status that waits is told for, after one pass of the old side that waited too."""
    reader = Reader("aaaaaaaa", ORIGIN)
    running, *waits = (
        reader.read(exchange("status.get-deployment", {}, body), 1, momentary=True)
        for body in ({"status": "Running", "engines": []}, old, new)
    )
    learned = Learned({1: "status.get-deployment"}, [{1: running}], waiting=[[(1, waits[0])]])
    return {(one.location, one.kind) for one in learned.while_waiting(1, waits[1])}


def test_what_is_answered_while_a_deployment_starts_is_held_to_what_the_old_side_answered_then() -> None:
    starting = {"status": "Starting", "engines": [], "details": []}
    assert while_waiting(starting, starting) == set()
    assert while_waiting(starting, starting | {"status": "Error"}) == {("response.(while waiting)", "enum")}
    less = {"status": "Starting", "engines": []}
    assert while_waiting(starting, less) == {("response.200.body.details", "gone")}


def test_where_a_recording_removed_a_secret_anything_may_stand() -> None:
    def policy(text: str) -> Make:
        return lambda draw, step, at: {"policy": text}

    assert told(policy("by <header-1> alone"), policy("by ab12 alone")) == set()
    assert told(policy("by <header-1> alone"), policy("by ab12 never")) == {(".policy", "value")}
