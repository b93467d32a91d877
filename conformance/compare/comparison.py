"""The comparison: the same plan asked of two instances, and every difference that a caller could notice."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace

from conformance.api.operations import changing
from conformance.checks import Rules, judge
from conformance.compare.answers import APPEARED, Answer, Reader, type_of
from conformance.compare.consequences import cone, consequences, history
from conformance.compare.noise import Deviation, Learned
from conformance.compare.plan import Plan
from conformance.compare.side import Pass, Side
from conformance.errors import NoVerdictError
from conformance.ledger import Ledger
from conformance.model import Exchange
from conformance.suites.generation.replaying import givers

_CONFIRMED = 12
"""Differences whose smallest sequence is asked again; more are told as the passes saw them."""

_ASKED_AGAIN, _LONGEST_SEQUENCE = 3, 60
_EXAMPLES = 3


@dataclass(frozen=True)
class Proof:
    """A plan of a few steps, and the old side's answers to it."""

    plan: Plan
    before: tuple[Pass, ...]


@dataclass(frozen=True)
class Difference:
    """What the new side answers otherwise. `location` is in the words of a drift; `seen` counts `of` answers.

    `old_exchange` and `new_exchange` are one step's answers of both sides, `old_body` and `new_body` their bodies with
    the old side's ids in both; `sequence` leads to it.
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
    old_body: str = ""
    new_body: str = ""
    sequence: tuple[Exchange, ...] = ()
    proof: Proof | None = None
    """Its smallest sequence as it was asked again, where that shows it too."""
    follows: str = ""
    """The id of the difference that it may follow from; empty where it stands by itself."""
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
    broken_off: tuple[str, ...] = ()
    """Why a side was not asked everything, a sentence each."""
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
    differences.sort(key=lambda one: (bool(one.follows), not one.breaking, not one.always))
    broken_off = tuple(one.broken_off for one in (*before, *after) if one.broken_off)
    if not broken_off:
        differences = [*_confirmed(held, old, new, differences[:_CONFIRMED]), *differences[_CONFIRMED:]]
    return Compared(
        tuple(differences),
        asked=len(held.shared),
        left_out=_reasons(before, after),
        canary="found" if canary else "missed",
        left=tuple(filter(None, (one.left for one in (*before, *after)))),
        broken_off=broken_off,
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
    done: list[Pass] = []
    while len(done) < passes and not any(one.broken_off for one in done):
        done.append(side.play(plan))
    return done


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
        self.plan, self._before = plan, before
        self._steps = {step.number: step for step in plan.steps}
        operations = {step.number: step.operation for step in plan.steps}
        momentary = frozenset(step.number for step in plan.steps if step.momentary)
        old = [_Read(plan, one) for one in before]
        self._old, self._old_readers = [one.answers for one in old], [one.reader for one in old]
        varying: set[tuple[str, str]] = set()
        if len(before) == 1 and len(after) > 1:
            # What the new side's own passes disagree on varies too, where the old side's were kept once only.
            varying = Learned(operations, [_Read(plan, one).answers for one in after], momentary).varying
        waiting = [[(step, answer) for step, answer, _ in one.waiting] for one in old]
        self.learned = Learned(operations, self._old, momentary, frozenset(varying), waiting)
        self._hold(after)

    def _hold(self, after: Sequence[Pass]) -> None:
        self._after = after
        new = [_Read(self.plan, one) for one in after]
        self._new, self._new_readers = [one.answers for one in new], [one.reader for one in new]
        self._new_waiting = [one.waiting for one in new]
        self.shared = sorted(set(self._old[0]) & set(self._new[0]))

    def against(self, after: Sequence[Pass]) -> Judge:
        """The same old side, and what was learned of it, held against other passes of a new side."""
        other = copy(self)
        other._hold(after)
        return other

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
        follows = consequences(
            self.plan, {key: [one.step for _, one in sightings] for key, sightings in places.items()}
        )
        found = [
            replace(self._difference(key, sightings), follows=":".join(follows.get(key, ())))
            for key, sightings in places.items()
        ]
        told = {one.id for one in found}
        found += [one for one in self._while_waiting() if one.id not in told]
        return [one for one in found if one.always or not (one.kind == "no-answer" or self._by_chance(one))]

    def _while_waiting(self) -> Iterator[Difference]:
        """What the new side answered while it waited, and the old side never did; what was seen once may be chance."""
        found: dict[tuple[str, str, str], list[tuple[int, Deviation, Exchange]]] = {}
        for turn, waiting in enumerate(self._new_waiting):
            for step, answer, exchange in waiting:
                for one in self.learned.while_waiting(step, answer):
                    key = (self._operation(step), one.location, one.kind)
                    found.setdefault(key, []).append((turn, one, exchange))
        for key, sightings in found.items():
            if len(sightings) > 1:
                turn, _, exchange = sightings[0]
                body = self._new_readers[turn].shown(exchange, self._old_readers[0])
                told = self._difference(key, [(turn, one) for turn, one, _ in sightings])
                yield replace(told, new_exchange=exchange, new_body=body)

    def _by_chance(self, one: Difference) -> bool:
        """Whether it depends on time, or on other callers: it says something where it is always so.

        How a wait ended does, and what appeared in a list right after a refusal.
        """
        waited = one.kind in ("status", "value") and bool(self._steps[one.step].awaits)
        return waited or one.location.endswith(APPEARED)

    def with_requirements(self, differences: Sequence[Difference], rules: Rules) -> list[Difference]:
        """The differences with the requirements that one side's answer breaks, and the other's does not."""
        if not differences:
            return []
        old, new = (self._broken(one[0], rules) for one in (self._before, self._after))
        at = Counter(one.step for one in differences)

        def speaking(one: Difference, these: Mapping[str, str], others: Mapping[str, str]) -> frozenset[str]:
            field_ = one.location.rpartition(".")[2].strip("[]")
            broken = these.keys() - others.keys()
            return frozenset(name for name in broken if at[one.step] == 1 or field_ in f"{name} {these[name]}")

        return [
            replace(
                one,
                kept_by_old=speaking(one, new.get(one.step, {}), old.get(one.step, {})),
                kept_by_new=speaking(one, old.get(one.step, {}), new.get(one.step, {})),
            )
            for one in differences
        ]

    def _broken(self, one: Pass, rules: Rules) -> dict[int, dict[str, str]]:
        """By step, the requirements that its answer breaks, each with what was expected and came."""
        ledger, found = Ledger(), {}
        for step in self.plan.steps:
            exchange = one.answers.get(step.number)
            if exchange is not None:
                meant = replace(exchange, intent=step.exchange.intent, labels=exchange.labels | step.exchange.labels)
                broken = [row for row in judge(meant, ledger, rules) if not row.held]
                found[step.number] = {row.requirement: f"{row.expected} {row.actual}" for row in broken}
                ledger = ledger.after(meant)
        return found

    def _operation(self, step: int) -> str:
        return self._steps[step].operation

    def _difference(self, key: tuple[str, str, str], sightings: Sequence[tuple[int, Deviation]]) -> Difference:
        operation, location, kind = key
        turn, shown = sightings[0]
        ours, theirs = self._before[0].answers.get(shown.step), self._after[turn].answers.get(shown.step)
        on = self._old_readers[0]
        steps = {one.step for _, one in sightings}
        asked = sum(1 for answers in self._new for step in steps if step in answers)
        return Difference(
            operation, location, kind, is_breaking(kind, location, shown), shown.old, shown.new,
            step=shown.step, seen=len({(number, one.step) for number, one in sightings}), of=asked,
            old_exchange=ours, new_exchange=theirs,
            old_body=on.shown(ours, on) if ours else "",
            new_body=self._new_readers[turn].shown(theirs, on) if theirs else "",
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


class _Read:
    """The answers of one pass, by step, their ids replaced by where they were issued; and who read them.

    `waiting` are those that steps had while they waited. Where a change could not be asked for, later answers about the
    same things show that alone, and are left out.
    """

    def __init__(self, plan: Plan, one: Pass) -> None:
        self.reader = Reader(one.run, one.origin)
        self.answers: dict[int, Answer] = {}
        self.waiting: list[tuple[int, Answer, Exchange]] = []
        for step in plan.steps:
            for exchange in one.waiting.get(step.number, ()):
                self.waiting.append((step.number, self.reader.read(exchange, step.number, momentary=True), exchange))
            if step.number in one.answers:
                self.answers[step.number] = self.reader.read(
                    one.answers[step.number], step.number, momentary=step.momentary, after_refusal=step.after_refusal
                )
        unasked = frozenset(
            step.number for step in plan.steps if step.number not in self.answers and step.operation in changing()
        )
        for number in cone(plan, unasked) & self.answers.keys() if unasked else ():
            del self.answers[number]


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


_ILL_FORMED = ("(byte order mark)", "(framed twice)")
_BREAKING_IN_BODIES = frozenset({"gone", "type", "null", "enum", "format", "unit", "value", "length"})


def is_breaking(kind: str, location: str, shown: Deviation) -> bool:
    """Whether a client made for the old side may fail on the new one (the drift policy, read on observed behaviour)."""
    served = location.startswith("response.2")
    if kind == "no-answer":
        return True
    if kind == "status" or location.endswith(_ILL_FORMED):
        return served
    if ".header." in location:
        return served and location.endswith(".header.content-type") and kind != "new"
    if kind in ("value", "length", "enum", "format", "range", "unit"):
        return served and kind in _BREAKING_IN_BODIES
    return kind in _BREAKING_IN_BODIES


def _confirmed(
    held: Judge, old: Side | Sequence[Pass], new: Side, differences: Sequence[Difference]
) -> Iterator[Difference]:
    """Each difference with a small sequence asked again, and counted anew where that shows it.

    Of a recording only the new side is asked, so that everything counts that the recorded answer may hang on.
    """
    for one in differences:
        smallest = [step for step in held.plan.steps if any(step.exchange is exchange for exchange in one.sequence)]
        tried = [history(held.plan, one.step)] if one.step else []
        for steps in [smallest, *tried] if isinstance(old, Side) else tried:
            again = _asked_again(one, replace(held.plan, steps=tuple(steps)), old, new)
            if again is not None:
                yield again
                break
        else:
            yield one


def _asked_again(one: Difference, plan: Plan, old: Side | Sequence[Pass], new: Side) -> Difference | None:
    """The difference counted anew; None where the plan does not show it, or is too long for it."""
    numbers = {step.number for step in plan.steps}
    if not 0 < len(numbers) <= _LONGEST_SEQUENCE:
        return None
    if not isinstance(old, Side):
        old = [replace(turn, answers={n: e for n, e in turn.answers.items() if n in numbers}) for turn in old]
    try:
        before, after = _played(plan, old, new, _ASKED_AGAIN)
    except NoVerdictError:
        return None
    again = next((found for found in Judge(plan, before, after).differences() if found.id == one.id), None)
    if again is None:
        return None
    return replace(
        again, seen=one.seen + again.seen, of=one.of + again.of, breaking=one.breaking, follows=one.follows,
        sequence=tuple(after[0].answers[step.number] for step in plan.steps if step.number in after[0].answers),
        proof=Proof(plan, tuple(before)), kept_by_old=one.kept_by_old, kept_by_new=one.kept_by_new,
    )  # fmt: skip
