"""The comparison: the same plan asked of two instances, and every difference that a caller could notice."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from conformance.api.operations import changing
from conformance.checks import Rules, judge
from conformance.compare.answers import Answer, Reader, type_of
from conformance.compare.noise import Deviation, Learned
from conformance.compare.plan import Plan
from conformance.compare.side import Pass, Side
from conformance.errors import NoVerdictError
from conformance.ledger import Ledger
from conformance.model import Exchange
from conformance.suites.generation.replaying import givers

_CONFIRMED = 12
"""Differences whose smallest sequence is asked again; more are told as the passes saw them."""

_ASKED_AGAIN = 3
_EXAMPLES = 3


@dataclass(frozen=True)
class Difference:
    """What the new side answers otherwise. `location` is in the words of a drift; `seen` counts `of` answers.

    `old_exchange` and `new_exchange` are one step's answers of both sides; `steps` the sequence that leads to it.
    """

    operation: str
    location: str
    kind: str
    breaking: bool
    old: str
    new: str
    step: int = 0
    seen: int = 0
    of: int = 0
    old_exchange: Exchange | None = None
    new_exchange: Exchange | None = None
    sequence: tuple[Exchange, ...] = ()
    kept_by_old: frozenset[str] = frozenset()
    kept_by_new: frozenset[str] = frozenset()
    """Requirements that speak of it: those which one side's answer breaks and the other's does not."""

    @property
    def id(self) -> str:
        """The same difference seen again has the same id."""
        return f"{self.operation}:{self.location}:{self.kind}"

    @property
    def always(self) -> bool:
        """Whether every answer that could show it did."""
        return self.seen == self.of

    @property
    def how_often(self) -> str:
        """`always`, or `k of n`."""
        return "always" if self.always else f"{self.seen} of {self.of}"


@dataclass(frozen=True)
class Compared:
    """What a comparison saw: `asked` steps answered by both sides, and steps that one side could not be asked."""

    differences: tuple[Difference, ...]
    asked: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    canary: str = "missed"
    left: tuple[str, ...] = ()
    seconds: Mapping[str, tuple[list[float], list[float]]] = field(default_factory=dict)


def compare(plan: Plan, old: Side | Sequence[Pass], new: Side, passes: int, seed: int, rules: Rules) -> Compared:
    """Ask both sides the plan, each `passes` times, both at the same time; `old` may be the passes of a recording.

    `rules` say which requirement speaks of a difference; whether there is one is found without them.

    Raises NoVerdictError where nothing was answered by both.
    """
    before, after = _played(plan, old, new, passes)
    _require_two(before, after)
    for side, turns in (("old", before), ("new", after)):
        _require_answers(side, plan, turns)
    held = Judge(plan, before, after)
    differences = held.with_requirements(held.differences(), rules)
    if not held.shared:
        raise NoVerdictError("No request of the plan was answered by both sides: there is nothing to compare.")
    canary = held.canary(random.Random(seed))  # noqa: S311  a difference to plant, no secret
    if isinstance(old, Side):
        differences = [*_confirmed(held, old, new, differences[:_CONFIRMED]), *differences[_CONFIRMED:]]
    return Compared(
        tuple(sorted(differences, key=lambda one: (not one.breaking, not one.always))),
        asked=len(held.shared),
        left_out=_reasons(before, after),
        canary="found" if canary else "missed",
        left=tuple(filter(None, (one.left for one in (*before, *after)))),
        seconds=_durations(plan, before, after),
    )


def _played(plan: Plan, old: Side | Sequence[Pass], new: Side, passes: int) -> tuple[list[Pass], list[Pass]]:
    sides = [side for side in (old, new) if isinstance(side, Side)]
    with ThreadPoolExecutor(len(sides)) as pool:
        playing = [pool.submit(_turns, side, plan, passes) for side in sides]
        try:
            played = [future.result() for future in playing]
        except BaseException:
            for side in sides:
                side.stop()
            raise
    return (played[0], played[1]) if isinstance(old, Side) else (list(old), played[0])


def _turns(side: Side, plan: Plan, passes: int) -> list[Pass]:
    return [side.play(plan) for _ in range(passes)]


def _require_two(before: Sequence[Pass], after: Sequence[Pass]) -> None:
    """Raises NoVerdictError where the new side shows what was made at the old one: they are one instance."""
    names = [f"conformance-{one.run}-".encode() for one in before if one.run]
    for one in after:
        for exchange in one.answers.values():
            body = exchange.response.body if exchange.response and exchange.operation == "workspaces.list" else b""
            if any(name in body for name in names):
                raise NoVerdictError(
                    "Both addresses lead to one instance: the new side lists a workspace that was made at the old one."
                )


def _require_answers(side: str, plan: Plan, passes: Sequence[Pass]) -> None:
    """Raises NoVerdictError where a connection was lost while something may have been made: nobody knows what is there.

    A request that is never answered is a difference, or none where the other side does not answer it either.
    """
    for step in plan.steps:
        if step.exchange.operation not in changing():
            continue
        lost = [one for one in passes if step.number in one.answers and one.answers[step.number].response is None]
        if lost and len(lost) < len(passes):
            raise NoVerdictError(
                f"The {side} side lost the connection in {step.operation}, which it answers otherwise "
                f"({lost[0].answers[step.number].failure}): what it holds is unknown. Run again."
            )


def _reasons(before: Sequence[Pass], after: Sequence[Pass]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for side, passes in (("old", before), ("new", after)):
        for reason in passes[0].left_out.values():
            counts[f"{side}: {reason}"] += 1
    return dict(counts)


def _durations(plan: Plan, before: Sequence[Pass], after: Sequence[Pass]) -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for index, passes in enumerate((before, after)):
        for one in passes:
            for step in plan.steps:
                exchange = one.answers.get(step.number)
                if exchange and exchange.ok and exchange.started and exchange.ended and not step.together:
                    found.setdefault(step.operation, ([], []))[index].append(exchange.ended - exchange.started)
    return found


class Judge:
    """Holds the new side's passes to what the old side's show."""

    def __init__(self, plan: Plan, before: Sequence[Pass], after: Sequence[Pass]) -> None:
        self.plan, self._before, self._after = plan, before, after
        self._steps = {step.number: step for step in plan.steps}
        self._old = [read(plan, one) for one in before]
        self._new = [read(plan, one) for one in after]
        self.shared = sorted(set(self._old[0]) & set(self._new[0]))
        operations = {step.number: step.operation for step in plan.steps}
        momentary = frozenset(step.number for step in plan.steps if step.momentary)
        # What the new side's own passes disagree on varies too, where the old side's were kept once only.
        self.learned = Learned(operations, self._old, momentary)
        if len(before) == 1 and len(after) > 1:
            varying = Learned(operations, self._new, momentary).varying
            self.learned = Learned(operations, self._old, momentary, frozenset(varying))

    def deviations(self, answers: Mapping[int, Answer]) -> list[Deviation]:
        """Every way in which one pass of the new side is not as the old side."""
        found = [one for step in self.shared if step in answers for one in self.learned.deviations(step, answers[step])]
        return [*found, *self.learned.overall({step: answers[step] for step in self.shared if step in answers})]

    def differences(self) -> list[Difference]:
        """The deviations of all passes, one entry for each operation, location and kind."""
        places: dict[tuple[str, str, str], list[tuple[int, Deviation]]] = {}
        for number, answers in enumerate(self._new):
            for one in self.deviations(answers):
                places.setdefault((self._operation(one.step), one.location, one.kind), []).append((number, one))
        found = [self._difference(key, sightings) for key, sightings in places.items()]
        return [one for one in found if one.always or not (one.kind == "no-answer" or self._of_a_wait(one))]

    def _of_a_wait(self, one: Difference) -> bool:
        """Whether it is how a wait ended: that depends on time, and says something where it always ends so."""
        return one.kind in ("status", "value") and bool(self._steps[one.step].awaits)

    def with_requirements(self, differences: Sequence[Difference], rules: Rules) -> list[Difference]:
        """The differences with the requirements that one side's answer breaks, and the other's does not."""
        if not differences:
            return []
        old, new = (self._broken(one[0], rules) for one in (self._before, self._after))
        return [
            replace(
                one,
                kept_by_old=frozenset(new.get(one.step, set()) - old.get(one.step, set())),
                kept_by_new=frozenset(old.get(one.step, set()) - new.get(one.step, set())),
            )
            for one in differences
        ]

    def _broken(self, one: Pass, rules: Rules) -> dict[int, set[str]]:
        ledger, found = Ledger(), {}
        for step in self.plan.steps:
            exchange = one.answers.get(step.number)
            if exchange is not None:
                meant = replace(exchange, intent=step.exchange.intent, labels=exchange.labels | step.exchange.labels)
                found[step.number] = {row.requirement for row in judge(meant, ledger, rules) if not row.held}
                ledger = ledger.after(meant)
        return found

    def _operation(self, step: int) -> str:
        return self._steps[step].operation

    def _difference(self, key: tuple[str, str, str], sightings: Sequence[tuple[int, Deviation]]) -> Difference:
        operation, location, kind = key
        shown = sightings[0][1]
        steps = {one.step for _, one in sightings}
        asked = sum(1 for answers in self._new for step in steps if step in answers)
        return Difference(
            operation, location, kind, is_breaking(kind, location, shown), shown.old, shown.new,
            step=shown.step, seen=len({(number, one.step) for number, one in sightings}), of=asked,
            old_exchange=self._before[0].answers.get(shown.step), new_exchange=self._after[0].answers.get(shown.step),
            sequence=self.sequence(shown.step),
        )  # fmt: skip

    def sequence(self, number: int) -> tuple[Exchange, ...]:
        """The plan's exchanges that a step cannot do without, and the step itself."""
        history = [step.exchange for step in self.plan.steps[:number]]
        return tuple(givers(history, history[-1:])) if number <= len(self.plan.steps) else ()

    def canary(self, chance: random.Random) -> bool:
        """Plant a difference of a random kind in a copy of one answer; whether it is found."""
        answers = self._new[0]
        for step in chance.sample(self.shared, min(len(self.shared), 50)):
            known = set(self.learned.deviations(step, answers[step]))
            planted = _planted(answers[step], chance)
            if planted is None or step in self.learned.momentary:
                continue
            return bool(set(self.learned.deviations(step, planted)) - known)
        return False


def read(plan: Plan, one: Pass) -> dict[int, Answer]:
    """The answers of a pass, by step, its ids replaced by where they were issued."""
    reader = Reader(one.run, one.origin)
    return {
        step.number: reader.read(one.answers[step.number], step.number)
        for step in plan.steps
        if step.number in one.answers
    }


def _planted(answer: Answer, chance: random.Random) -> Answer | None:
    """A copy of an answer with one difference that any caller would notice."""
    fields = [place for place in answer.leaves if place.startswith("body.") and not place.endswith(".length")]
    if answer.status is None or not fields:
        return None
    if chance.random() < 0.2:
        return replace(answer, status=500 if answer.status != 500 else 200)
    place = chance.choice(fields)
    below = (f"{place}.", f"{place}[")
    leaves = {name: leaf for name, leaf in answer.leaves.items() if name != place and not name.startswith(below)}
    if chance.random() < 0.5 and "[" not in place:
        return replace(answer, leaves=leaves)
    return replace(answer, leaves=leaves | {place: 17 if type_of(answer.leaves[place]) != "integer" else "seventeen"})


_BREAKING_IN_BODIES = frozenset({"gone", "type", "null", "enum", "format", "unit", "value", "length"})


def is_breaking(kind: str, location: str, shown: Deviation) -> bool:
    """Whether a client made for the old side may fail on the new one (the drift policy, read on observed behaviour)."""
    served = location.startswith("response.2")
    if kind == "no-answer":
        return True
    if kind == "status":
        return served
    if ".header." in location:
        return served and location.endswith(".header.content-type") and kind != "new"
    if kind in ("value", "length", "enum", "format", "range", "unit"):
        return served and kind in _BREAKING_IN_BODIES
    return kind in _BREAKING_IN_BODIES


def _confirmed(held: Judge, old: Side, new: Side, differences: Sequence[Difference]) -> Iterator[Difference]:
    """Each difference with its smallest sequence asked again of both sides, and counted anew where that shows it."""
    for one in differences:
        steps = [step for step in held.plan.steps if any(step.exchange is exchange for exchange in one.sequence)]
        if not steps or len(steps) > 40:
            yield one
            continue
        plan = replace(held.plan, steps=tuple(steps))
        try:
            before, after = _played(plan, old, new, _ASKED_AGAIN)
        except NoVerdictError:
            yield one
            continue
        smaller = Judge(plan, before, after)
        again = [found for found in smaller.differences() if found.id == one.id]
        if not again:
            yield one
            continue
        yield replace(
            one, seen=one.seen + again[0].seen, of=one.of + again[0].of,
            old_exchange=again[0].old_exchange, new_exchange=again[0].new_exchange,
            sequence=tuple(after[0].answers[step.number] for step in steps if step.number in after[0].answers),
        )  # fmt: skip
