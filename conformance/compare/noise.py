"""What varies by itself, learned: the old side is asked twice, and what differs is described instead of muted.

A place whose value is the same each time is held to that value, step by step. A place that varies is held to a
description of what was seen there: JSON type, share of null, set of values, template of the text, moment and its unit,
range, direction. So a moment in seconds instead of milliseconds is told, though no two moments are ever equal.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache
from itertools import pairwise
from statistics import median

from conformance.compare.answers import (
    LIST,
    OBJECT,
    UUID,
    Answer,
    Id,
    Leaf,
    Numbers,
    general,
    reordered,
    row_key,
    rows_of,
    type_of,
)

Group = tuple[str, int | None, str]
"""Answers described together: operation, status, variant."""

FLOAT_TOLERANCE = 1e-6
"""Numbers a model computes are equal within this, of their own size: engines differ by less (1.1e-7 measured).

Those that differ by more than this of their size and by less than this absolute differ in precision alone.
"""
_SMALLEST = 1e-12
"""Numbers this near to each other are equal whatever their size."""

_CLOCK_SLACK_SECONDS = 1800.0
"""A moment may be this much further from its answer than any that was learned: clocks of two instances differ."""

_TIME_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
_NEAR_SECONDS = 10 * 86400.0
_FEW_VALUES, _MANY_SAMPLES = 8, 30
_ENOUGH_PAIRS = 12
"""Rows that follow each other in one order before it is taken for a rule: by chance that is 1 in 4096."""

_OUTLIER, _SHIFT = 1000.0, 30.0
"""One number this many times beyond the learned range is told; or all of them, where their median is so far off."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?P<sep>[T ])\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:?\d\d)?")
_HEXADECIMAL = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
_REMOVED = re.compile(r"<[a-z]+-\d+>")
_SEPARATORS = re.compile(r"([^A-Za-z0-9]+)")


@dataclass(frozen=True)
class Sample:
    """One value seen at a place: in which step of which turn, and when by the instance's own clock."""

    step: int
    leaf: Leaf
    at: float
    turn: int = 0


@dataclass(frozen=True)
class Deviation:
    """One way in which an answer is not as learned. `kind` is a word of specs/comparison.schema.json."""

    location: str
    kind: str
    old: str
    new: str
    step: int


def equal(one: Leaf, other: Leaf) -> bool:
    """Whether two values are the same: the same JSON type too, and numbers with a fraction within the tolerance."""
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        return (
            len(one.values) == len(other.values)
            and one.whole == other.whole
            and (one.values == other.values or not one.whole)
            and all(_near(ours, theirs) for ours, theirs in zip(one.values, other.values, strict=True))
        )
    if isinstance(one, float) and isinstance(other, float):
        return _near(one, other)
    if isinstance(one, str) and isinstance(other, str) and _REMOVED.search(one):
        return bool(_around_removed(one).fullmatch(other))
    return type(one) is type(other) and one == other


@lru_cache(maxsize=256)
def _around_removed(text: str) -> re.Pattern[str]:
    """What a text is from which a recording removed a secret: anything stands there."""
    return re.compile(".*".join(map(re.escape, _REMOVED.split(text))), re.DOTALL)


def _near(one: float, other: float) -> bool:
    same = math.isclose(one, other, rel_tol=FLOAT_TOLERANCE, abs_tol=_SMALLEST)
    return same or (math.isnan(one) and math.isnan(other))


def of_precision(one: Leaf, other: Leaf) -> bool:
    """Whether two values of one type and length, that are not equal, differ less than any engine computes exactly."""
    ours, theirs = _fractions(one), _fractions(other)
    if not ours or len(ours) != len(theirs):
        return False
    return all(abs(here - there) <= FLOAT_TOLERANCE for here, there in zip(ours, theirs, strict=True))


def _fractions(leaf: Leaf) -> tuple[float, ...]:
    if isinstance(leaf, Numbers):
        return () if leaf.whole else leaf.values
    return (leaf,) if isinstance(leaf, float) else ()


def varies_by_nature(leaf: Leaf, at: float) -> bool:
    """Whether a value is of a kind that varies by itself, seen once or twice: an unmapped UUID, a digest, a moment."""
    if isinstance(leaf, str):
        return bool(UUID.search(leaf) or _HEXADECIMAL.fullmatch(leaf)) or moment_of(leaf, at) is not None
    return moment_of(leaf, at) is not None


def moment_of(leaf: Leaf, at: float) -> tuple[str, float] | None:
    """How a value writes a moment near `at`, and its second since 1970; None where it is no such moment."""
    if isinstance(leaf, bool) or leaf is None or isinstance(leaf, Id | Numbers):
        return None
    if isinstance(leaf, str):
        return _written_moment(leaf)
    for unit, factor in _TIME_UNITS.items():
        if abs(leaf / factor - at) < _NEAR_SECONDS:
            return unit, leaf / factor
    return None


def _written_moment(text: str) -> tuple[str, float] | None:
    match = _MOMENT.fullmatch(text)
    try:
        if match:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            zone = match["zone"] or "no zone"
            form = f"date and time with '{match['sep']}', {'a fraction, ' if match['fraction'] else ''}{zone}"
            return form, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if text.endswith("GMT"):
            return "HTTP date", parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return None


@dataclass
class Described:
    """What was seen at one place of one group of answers, and what of it a new value must keep."""

    samples: list[Sample] = field(default_factory=list)

    @cached_property
    def types(self) -> Counter[str]:
        return Counter(type_of(sample.leaf) for sample in self.samples)

    @cached_property
    def values(self) -> frozenset[str]:
        return frozenset(repr(sample.leaf) for sample in self.samples if sample.leaf is not None)

    @cached_property
    def is_set(self) -> bool:
        """Whether few values stand here again and again, the same in each turn; names drawn anew are no set."""
        turns: dict[int, Counter[str]] = {}
        for sample in self.samples:
            if sample.leaf is not None:
                turns.setdefault(sample.turn, Counter())[repr(sample.leaf)] += 1
        if len({frozenset(counts) for counts in turns.values()}) != 1 or len(self.samples) < _MANY_SAMPLES:
            return False
        counts = next(iter(turns.values()))
        drawn = len(turns) == 1 and any(any(map(str.isdigit, value)) for value in counts)
        return len(counts) <= _FEW_VALUES and min(counts.values()) > 1 and not drawn

    @cached_property
    def moments(self) -> tuple[str, float, float] | None:
        """The form that all samples write moments in, and how far from their answers they lie, least and most."""
        found = [(moment_of(sample.leaf, sample.at), sample.at) for sample in self.samples if sample.leaf is not None]
        forms = {moment[0] for moment, _ in found if moment}
        if not found or any(moment is None for moment, _ in found) or len({_coarse(form) for form in forms}) != 1:
            return None
        offsets = [moment[1] - at for moment, at in found if moment]
        return _coarse(forms.pop()), min(offsets), max(offsets)

    @cached_property
    def numbers(self) -> list[float]:
        return [float(s.leaf) for s in self.samples if isinstance(s.leaf, int | float) and not isinstance(s.leaf, bool)]

    @cached_property
    def template(self) -> tuple[tuple[str, ...], list[set[str]]] | None:
        """The separators that all texts share, and what stood between them."""
        split = [_SEPARATORS.split(s.leaf) for s in self.samples if isinstance(s.leaf, str)]
        if not split or len({tuple(parts[1::2]) for parts in split}) != 1:
            return None
        return tuple(split[0][1::2]), [set(column) for column in zip(*(parts[::2] for parts in split), strict=True)]

    def departs(self, leaf: Leaf, at: float) -> tuple[str, str] | None:
        """The kind of deviation of a value from what was seen, and what was seen; None where it fits."""
        kind = type_of(leaf)
        if kind not in self.types:
            if kind == "null":
                return "null", self.words
            if not (kind == "integer" and "number" in self.types):
                return "type", self.words
            return None
        if leaf is None or isinstance(leaf, Id | bool):
            return None
        if isinstance(leaf, Numbers):
            return self._departs_in_columns(leaf)
        if self.moments is not None:
            return self._departs_in_time(leaf, at)
        if self.is_set and repr(leaf) not in self.values:
            return "enum", self.words
        if isinstance(leaf, str):
            return self._departs_in_text(leaf)
        return self._departs_in_size(float(leaf)) if self.numbers else None

    def _departs_in_time(self, leaf: Leaf, at: float) -> tuple[str, str] | None:
        assert self.moments is not None
        form, least, most = self.moments
        moment = moment_of(leaf, at)
        if moment is None or _coarse(moment[0]) != form:
            return ("unit" if isinstance(leaf, int | float) else "format"), self.words
        slack = _CLOCK_SLACK_SECONDS
        return None if least - slack <= moment[1] - at <= most + slack else ("range", self.words)

    def _departs_in_text(self, text: str) -> tuple[str, str] | None:
        if self.template is None:
            return None
        separators, columns = self.template
        parts = _SEPARATORS.split(text)
        if tuple(parts[1::2]) != separators:
            return "format", self.words
        for part, seen in zip(parts[::2], columns, strict=True):
            if len(self.samples) < 4 or part in seen:
                continue
            lengths = {len(one) for one in seen}
            if len(seen) == 1 or (len(lengths) == 1 and len(seen) >= 4 and len(part) not in lengths):
                return "format", self.words
            if all(one.isdigit() for one in seen) and not part.isdigit():
                return "format", self.words
        return None

    @cached_property
    def columns(self) -> list[list[float]]:
        """The numbers of each position, where all lists are of one length."""
        rows = [sample.leaf.values for sample in self.samples if isinstance(sample.leaf, Numbers)]
        return [list(column) for column in zip(*rows, strict=True)] if len({len(row) for row in rows}) == 1 else []

    def _departs_in_columns(self, leaf: Numbers) -> tuple[str, str] | None:
        if self.columns and len(leaf.values) != len(self.columns):
            return "length", f"{len(self.columns)} numbers"
        for number, column in zip(leaf.values, self.columns, strict=False):
            if _beyond(number, column):
                return "range", self.words
        return None

    def _departs_in_size(self, number: float) -> tuple[str, str] | None:
        return ("range", self.words) if _beyond(number, self.numbers) else None

    @cached_property
    def words(self) -> str:
        """What was seen, for a person."""
        if self.moments is not None:
            return f"a moment in {self.moments[0]}"
        if len(self.values) == 1:
            return str(self.samples[0].leaf)[:200]
        if self.is_set:
            return f"one of {', '.join(sorted(self.values))[:200]}"
        names = " or ".join(sorted(self.types))
        if self.columns and len(self.columns) <= 8:
            return " and ".join(f"{min(one):g} to {max(one):g}" for one in self.columns)
        if self.numbers and len(self.numbers) == len(self.samples):
            return f"{names} from {min(self.numbers):g} to {max(self.numbers):g}"
        return f"{names} such as {str(self.samples[0].leaf)[:80]}"


def _beyond(number: float, seen: Sequence[float]) -> bool:
    """Whether a number is of another sign than those seen, or of quite another size."""
    least, most = min(seen), max(seen)
    if (number < 0 <= least) or (number == 0 < least and least > 1):
        return True
    return number > 0 and most > 0 and (number > most * _OUTLIER or number * _OUTLIER < least)


def _coarse(form: str) -> str:
    return form.replace("a fraction, ", "")


def _own_clock(answer: Answer) -> float:
    """When the answer came by the instance's own clock, as its Date header tells it; by ours where there is none."""
    said = answer.leaves.get("header.date")
    moment = _written_moment(said) if isinstance(said, str) else None
    return moment[1] if moment else answer.at


class Learned:
    """What the old side's answers to each step are, and what of them varies by itself.

    `passes` are the answers of each pass through the plan, by step; `operations` the operation of each step.
    Steps in `momentary` were answered as the moment had it: they are held to the description of their kind alone.
    So are the answers that a step had while it was `waiting`, of each pass.
    """

    def __init__(
        self,
        operations: Mapping[int, str],
        passes: Sequence[Mapping[int, Answer]],
        momentary: frozenset[int] = frozenset(),
        varying: frozenset[tuple[str, str]] = frozenset(),
        waiting: Sequence[Sequence[tuple[int, Answer]]] = (),
    ) -> None:
        self.operations, self.momentary = operations, momentary
        self.varying: set[tuple[str, str]] = set(varying)
        """(operation, general place) of what varies by itself."""
        self._unordered = _unordered(operations, passes)
        self._orders = _orders(operations, passes)
        self.passes = [
            {step: reordered(answer, self._unordered.get(operations[step], ())) for step, answer in answers.items()}
            for answers in passes
        ]
        self.described: dict[Group, dict[str, Described]] = {}
        self.present: Counter[tuple[Group, str]] = Counter()
        for turn, answers in enumerate(self.passes):
            for step, answer in answers.items():
                self._take(step, answer, turn)
        self._waited = {operations[step] for seen in waiting for step, _ in seen}
        for turn, seen in enumerate(waiting):
            for step, answer in seen:
                self._take(step, answer, turn)
        self._compare_passes()

    def group(self, step: int, answer: Answer) -> Group:
        """What an answer is described with."""
        return self.operations[step], answer.status, answer.variant

    def _take(self, step: int, answer: Answer, turn: int) -> None:
        group, at = self.group(step, answer), _own_clock(answer)
        for place, leaf in answer.leaves.items():
            where = general(place)
            self.described.setdefault(group, {}).setdefault(where, Described()).samples.append(
                Sample(step, leaf, at, turn)
            )
            if leaf == OBJECT:
                self.present[group, where] += 1
            if varies_by_nature(leaf, at):
                self.varying.add((group[0], where))
        self.present[group, ""] += 1

    def _compare_passes(self) -> None:
        for first, *others in zip(*(answers.items() for answers in self._aligned()), strict=True):
            step, one = first
            for _, other in others:
                if one.status != other.status or one.variant != other.variant:
                    continue
                for place in one.leaves.keys() | other.leaves.keys():
                    if place in one.leaves and place in other.leaves and equal(one.leaves[place], other.leaves[place]):
                        continue
                    self.varying.add((self.operations[step], general(place)))

    def _aligned(self) -> list[dict[int, Answer]]:
        shared = set.intersection(*(set(answers) for answers in self.passes)) if self.passes else set()
        return [{step: answers[step] for step in sorted(shared)} for answers in self.passes]

    def deviations(self, step: int, answer: Answer) -> Iterator[Deviation]:
        """Every way in which the new side's answer to a step is not as learned."""
        olds = [answers[step] for answers in self.passes if step in answers]
        if not olds:
            return
        yield from self._out_of_order(step, answer)
        answer = reordered(answer, self._unordered.get(self.operations[step], ()))
        if answer.status is None:
            if all(old.status is not None for old in olds):
                yield Deviation("response", "no-answer", f"status {olds[0].status}", answer.failure, step)
            return
        statuses = {old.status for old in olds}
        if answer.status not in statuses and not (step in self.momentary and self._seen(step, answer)):
            shown = " or ".join(sorted(map(str, statuses)))
            yield Deviation(f"response.{olds[0].status}", "status", f"status {shown}", f"status {answer.status}", step)
            return
        old = next((old for old in olds if (old.status, old.variant) == (answer.status, answer.variant)), None)
        if old is not None and step not in self.momentary:
            yield from self._held_exactly(step, old, answer)
        elif old is None and step not in self.momentary:
            base = f"response.{answer.status}.body.status"
            yield Deviation(base, "value", olds[0].variant, answer.variant, step)
        yield from self._held_in_general(step, answer, exact=old is not None and step not in self.momentary)

    def while_waiting(self, step: int, answer: Answer) -> Iterator[Deviation]:
        """How an answer that the new side gave while a step waited is like none that the old side gave then."""
        if self._seen(step, answer):
            yield from self._held_in_general(step, answer, exact=False)
        elif self.operations[step] in self._waited:
            shown = f"status {answer.status}{f', {answer.variant}' if answer.variant else ''}"
            yield Deviation("response.(while waiting)", "enum", "never so while it waited", shown, step)

    def _seen(self, step: int, answer: Answer) -> bool:
        return (self.group(step, answer), "") in self.present

    def _out_of_order(self, step: int, answer: Answer) -> Iterator[Deviation]:
        for place, rows in _listings(answer):
            for field_, direction in self._orders.get((self.operations[step], general(place)), ()):
                if any(_rises(one, other, field_, direction) is False for one, other in pairwise(rows)):
                    order = f"sorted by {field_.strip('.') or 'its ids'}, {'rising' if direction == 1 else 'falling'}"
                    yield self._deviation(step, answer, place, "order", order, "in another order")
                    break

    def _held_exactly(self, step: int, old: Answer, new: Answer) -> Iterator[Deviation]:
        operation, moved = self.operations[step], _permuted(old, new)
        for place in moved:
            yield self._deviation(step, new, place, "order", "the order of its rows", "the same rows in another order")
        for place, was in old.leaves.items():
            if (operation, general(place)) in self.varying or any(place.startswith(f"{where}[") for where in moved):
                continue
            if place not in new.leaves:
                continue  # told as gone, at its outermost place, or as a list's length
            became = new.leaves[place]
            if not equal(was, became):
                kind = "value" if type_of(was) == type_of(became) else "type"
                kind = "format" if isinstance(was, Id) and isinstance(became, Id) and was.form != became.form else kind
                kind = "null" if became is None else "length" if place.endswith(".length") else kind
                kind = "precision" if kind == "value" and of_precision(was, became) else kind
                yield self._deviation(step, new, place, kind, str(was), str(became))

    def _held_in_general(self, step: int, answer: Answer, *, exact: bool) -> Iterator[Deviation]:
        group, at = self.group(step, answer), _own_clock(answer)
        if (group, "") not in self.present:
            return
        yield from self._gone_and_new(step, group, answer)
        for place, leaf in answer.leaves.items():
            where = general(place)
            known = self.described[group].get(where)
            if known is None or (exact and (group[0], where) not in self.varying):
                continue
            departs = known.departs(leaf, at)
            if departs is not None:
                yield self._deviation(step, answer, place, departs[0], departs[1], str(leaf))

    def _gone_and_new(self, step: int, group: Group, answer: Answer) -> Iterator[Deviation]:
        for place in _outermost(self._missing(group, answer)):
            yield self._deviation(step, answer, place, "gone", "there", "absent")
        described = self.described[group]
        unknown = [place for place in answer.leaves if general(place) not in described]
        for place in _outermost([place for place in unknown if not _in_new_row(place, described)]):
            yield self._deviation(step, answer, place, "new", "absent", str(answer.leaves[place]))

    def _missing(self, group: Group, answer: Answer) -> list[str]:
        """Places that every earlier answer of the group had, and this one lacks though their object is there."""
        missing = []
        objects = [place for place, leaf in answer.leaves.items() if leaf == OBJECT]
        for where, described in self.described[group].items():
            parent, _, name = where.rpartition(".")
            if "[]" in name or name == "length":
                continue
            holders = self.present[group, parent] if parent not in ("header", "") else self.present[group, ""]
            if len(described.samples) < holders or not holders:
                continue
            if parent in ("header", ""):
                missing += [where] if where not in answer.leaves else []
                continue
            missing += [
                f"{place}.{name}"
                for place in objects
                if general(place) == parent and f"{place}.{name}" not in answer.leaves
            ]
        return missing

    def _deviation(self, step: int, answer: Answer, place: str, kind: str, old: str, new: str) -> Deviation:
        return Deviation(f"response.{answer.status}.{general(place)}", kind, old[:300], new[:300], step)

    def overall(self, answers: Mapping[int, Answer]) -> Iterator[Deviation]:
        """What only many answers show: a share of null, a range that moved, a direction that turned."""
        seen: dict[tuple[Group, str], list[Sample]] = {}
        for step, answer in sorted(answers.items()):
            for place, leaf in answer.leaves.items():
                key = (self.group(step, answer), general(place))
                if key[1] in self.described.get(key[0], {}) and (key[0][0], key[1]) in self.varying:
                    seen.setdefault(key, []).append(Sample(step, leaf, _own_clock(answer)))
        yield from self._unsteady(answers)
        for (group, where), samples in seen.items():
            for kind, old, new in _shifts(self.described[group][where], Described(samples)):
                yield Deviation(f"response.{group[1]}.{where}", kind, old, new, samples[0].step)

    def _unsteady(self, answers: Mapping[int, Answer]) -> Iterator[Deviation]:
        """Fields that a row of a listing keeps from answer to answer, and on the new side does not."""
        steady = [_kept(self.operations, turn) for turn in self.passes]
        for place, (changes, step) in _kept(self.operations, answers).items():
            if changes > 1 and all(one.get(place, (1, 0))[0] == 0 for one in steady):
                location = f"response.{answers[step].status}.{place[1]}"
                yield Deviation(location, "value", "the same in each answer", "another in each answer", step)


def _kept(operations: Mapping[int, str], answers: Mapping[int, Answer]) -> dict[tuple[str, str], tuple[int, int]]:
    """By operation and place in a row: how often it changed for the same thing, and where last; rows seen once apart.

    A place that never was seen twice of one thing is not there.
    """
    last: dict[tuple[str, str, str], Leaf] = {}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for step, answer in sorted(answers.items()):
        for place, rows in _listings(answer):
            for row in rows:
                name = row.get(".id")
                if not isinstance(name, Id):
                    continue
                for rest, leaf in row.items():
                    where = f"{general(place)}[]{general(rest)}"
                    key = (operations[step], where, f"{name.issued}{rest}")
                    if key in last:
                        changes, shown = found.get(key[:2], (0, step))
                        changed = not equal(last[key], leaf)
                        found[key[:2]] = (changes + changed, step if changed else shown)
                    last[key] = leaf
    return found


def _shifts(old: Described, new: Described) -> Iterator[tuple[str, str, str]]:
    nulls, were = new.types["null"], old.types["null"]
    if min(len(old.samples), len(new.samples)) >= 10 and _unlikely(were, len(old.samples), nulls, len(new.samples)):
        yield "null-share", f"{were / len(old.samples):.1%} null", f"{nulls / len(new.samples):.1%} null"
    for ours, theirs in zip([old.numbers, *old.columns], [new.numbers, *new.columns], strict=False):
        if old.moments is None and min(len(ours), len(theirs)) >= 5 and min(ours) > 0:
            before, after = median(ours), median(theirs)
            if after <= 0 or not 1 / _SHIFT < after / before < _SHIFT:
                yield "range", f"about {before:g}", f"about {after:g}"
    if _rising(old.samples) and len(new.samples) >= 10 and _falls(new.samples) > max(1, len(new.samples) // 20):
        yield "order", "rises from answer to answer", f"falls {_falls(new.samples)} times"


def _unlikely(hits: int, total: int, others: int, size: int) -> bool:
    """Whether two shares differ by more than chance allows (two-proportion z test, |z| > 4.5)."""
    pooled = (hits + others) / (total + size)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / size))
    return spread > 0 and abs(hits / total - others / size) / spread > 4.5


def _magnitudes(samples: Iterable[Sample]) -> list[float]:
    raw = [sample.leaf.raw if isinstance(sample.leaf, Id) else sample.leaf for sample in samples]
    return [float(value) for value in raw if isinstance(value, int | float) and not isinstance(value, bool)]


def _falls(samples: Sequence[Sample]) -> int:
    numbers = _magnitudes(samples)
    return sum(1 for one, other in pairwise(numbers) if other < one)


def _rising(samples: Sequence[Sample]) -> bool:
    """Whether the values never fall from step to step within a pass, and do rise."""
    passes: list[list[Sample]] = [[]]
    for sample in samples:
        if passes[-1] and sample.step < passes[-1][-1].step:
            passes.append([])
        passes[-1].append(sample)
    numbers = [_magnitudes(one) for one in passes]
    return all(len(one) >= 10 and one[-1] > one[0] for one in numbers) and not any(map(_falls, passes))


def _outermost(places: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for place in sorted(places, key=len):
        if not any(place.startswith((f"{one}.", f"{one}[")) for one in kept):
            kept.append(place)
    return kept


def _in_new_row(place: str, described: Mapping[str, Described]) -> bool:
    """Whether a place is unknown only because a list was always empty: nothing was learned of its rows."""
    heads = [general(place)[: found.start()] for found in re.finditer(r"\[\]", general(place))]
    return any(head in described and f"{head}[]" not in described for head in heads)


def _permuted(old: Answer, new: Answer) -> list[str]:
    """Lists whose rows are the same, in another order."""
    moved: list[str] = []
    if old.leaves == new.leaves:
        return moved
    for place, leaf in old.leaves.items():
        if leaf != LIST or new.leaves.get(place) != LIST or old.leaves[f"{place}.length"] in (0, 1):
            continue
        if any(place.startswith(f"{one}[") for one in moved):
            continue
        ours, theirs = ([row_key(row) for row in rows_of(one.leaves, place)] for one in (old, new))
        if ours != theirs and sorted(ours) == sorted(theirs):
            moved.append(place)
    return moved


def _unordered(operations: Mapping[int, str], passes: Sequence[Mapping[int, Answer]]) -> dict[str, tuple[str, ...]]:
    """Lists whose order means nothing, by operation: it varies by itself, or follows nothing that the rows hold."""
    found: dict[str, dict[str, None]] = {}
    for one in passes[:1]:
        for other in passes[1:]:
            for step in one.keys() & other.keys():
                for place in _permuted(one[step], other[step]):
                    found.setdefault(operations[step], {})[general(place)] = None
    for answers in passes:
        for step, answer in answers.items():
            for place, _ in _listings(answer):
                found.setdefault(operations[step], {})[general(place)] = None
    return {operation: tuple(places) for operation, places in found.items()}


def _listings(answer: Answer) -> Iterator[tuple[str, list[dict[str, Leaf]]]]:
    """Lists of things that are told apart by their ids, of two rows and more."""
    for place, leaf in answer.leaves.items():
        first = answer.leaves.get(f"{place}[0].id", answer.leaves.get(f"{place}[0]"))
        if leaf == LIST and isinstance(first, Id) and f"{place}[1]" in answer.leaves:
            yield place, rows_of(answer.leaves, place)


def _orders(
    operations: Mapping[int, str], passes: Sequence[Mapping[int, Answer]]
) -> dict[tuple[str, str], dict[tuple[str, int], None]]:
    """By what listings are sorted: (operation, place) → (field of the row, 1 rising or -1 falling)."""
    pairs: dict[tuple[str, str], list[tuple[Mapping[str, Leaf], Mapping[str, Leaf]]]] = {}
    for answers in passes:
        for step, answer in answers.items():
            for place, rows in _listings(answer):
                pairs.setdefault((operations[step], general(place)), []).extend(pairwise(rows))
    found: dict[tuple[str, str], dict[tuple[str, int], None]] = {}
    for key, seen in pairs.items():
        for field_ in seen[0][0]:
            for direction in (1, -1):
                kept = [_rises(one, other, field_, direction) for one, other in seen]
                if None not in kept and all(kept) and len(kept) >= _ENOUGH_PAIRS:
                    found.setdefault(key, {})[field_, direction] = None
    return found


def _rises(one: Mapping[str, Leaf], other: Mapping[str, Leaf], field_: str, direction: int) -> bool | None:
    """Whether a field rises (1) or falls (-1) from one row to the next; None where that cannot be said."""
    ours, theirs = _magnitude(one.get(field_)), _magnitude(other.get(field_))
    if isinstance(ours, float) and isinstance(theirs, float) and ours != theirs:
        return (ours < theirs) is (direction == 1)
    if isinstance(ours, str) and isinstance(theirs, str) and ours != theirs:
        return (ours < theirs) is (direction == 1)
    return None


def _magnitude(leaf: Leaf) -> float | str | None:
    value = leaf.raw if isinstance(leaf, Id) else leaf
    if isinstance(value, bool) or value in (OBJECT, LIST):
        return None
    return float(value) if isinstance(value, int | float) else value if isinstance(value, str) else None
