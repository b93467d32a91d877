"""One difference between two schemas, and the judge that says whether it matters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.drift.changes import KINDS
from conformance.drift.schema.atoms import (
    Object,
    Term,
)
from conformance.drift.schema.description import annotation
from conformance.drift.schema.inclusion import Inclusion, SecondOpinion, holds
from conformance.drift.schema.space import (
    REQUEST,
    Space,
)
from conformance.drift.schema.values import ABSENT, key_of
from conformance.drift.schema.witnesses import Instances

TIGHTENED, LOOSENED, CHANGED = "tightened", "loosened", "changed"


@dataclass(frozen=True)
class Difference:
    """`kind` is an id of the catalogue, `path` what follows `request.body`; `witness` ABSENT where none was made."""

    kind: str
    path: str = ""
    detail: str = ""
    witness: Any = ABSENT
    safe: bool = False
    """Shown to break nothing, whatever the catalogue says of its kind."""
    more: Callable[[], Iterator[Any]] | None = None
    """Makes more values that may show it; None for a difference of the whole."""

    @property
    def breaking(self) -> bool:
        """The catalogue's level, unless shown otherwise."""
        return KINDS[self.kind].breaking and not self.safe


@dataclass(frozen=True, eq=False)
class Inside:
    """A pair of terms one step further in; `around` makes of a value there one of the whole, ABSENT where it cannot."""

    path: str
    base: Term
    revision: Term
    around: Callable[[Any], Any]


def shown(value: Any) -> str:
    """The value as JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


class Judge:
    """Answers questions about two terms of one space: `base` comes first, `revision` second."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.instances = Instances(space)
        second = SecondOpinion(space)
        self.strict = Inclusion(space, self.instances, False, second)
        self.sent = Inclusion(space, self.instances, True, second)
        self.marked: dict[int, Object] = {}
        """Objects that are alternatives: a witness carries what tells them from the others."""

    @property
    def is_request(self) -> bool:
        """Whether clients send what is compared."""
        return self.space.side == REQUEST

    def kind(self, name: str) -> str:
        """The catalogue's id on this side."""
        return f"{self.space.side}-{name}"

    def sender(self, base: Any, revision: Any) -> Any:
        """Of the two, the one that makes the values: base's clients, or the revision's server."""
        return base if self.is_request else revision

    def breaks(self, base: Term, revision: Term) -> bool:
        """Whether something sent could be refused."""
        first, second = (base, revision) if self.is_request else (revision, base)
        return not holds(self.sent.ask(first, second))

    def undecided(self, base: Term, revision: Term) -> bool:
        """Whether it could not be told, within the effort allowed, if something sent could be refused."""
        return self.sent.ask(*self.sender((base, revision), (revision, base))).undecided

    def same(self, base: Term, revision: Term) -> bool:
        """Whether both admit exactly the same values."""
        return self.within(base, revision) and self.within(revision, base)

    def within(self, first: Term, second: Term) -> bool:
        """Whether the second admits every value of the first."""
        return holds(self.strict.ask(first, second))

    def relation(self, facet: str, base: Term, revision: Term, detail: str = "") -> Difference:
        """How one facet changed, by which values it lost and gained."""
        if self.undecided(base, revision):
            return Difference(self.kind("schema-undecided"), "", detail)
        lost, gained = not self.within(base, revision), not self.within(revision, base)
        word = {(True, True): CHANGED, (True, False): TIGHTENED}.get((lost, gained), LOOSENED)
        first, second = (base, revision) if self.is_request else (revision, base)
        return Difference(self.kind(f"{facet}-{word}"), "", detail, self.sent.ask(first, second).witness)

    def note(self, term: Term, word: str) -> Any:
        """An annotation of the term's schemas, ABSENT where there is none."""
        for literal in sorted(term):
            node, description = self.space.node(literal) if literal > 0 else (None, None)
            if isinstance(node, dict) and description is not None:
                value = annotation(description, node, word)
                if value is not ABSENT:
                    return value
        return ABSENT

    def default(self, base: Term, revision: Term, required: bool = False, null: Any = None) -> Iterable[Difference]:
        """What leaving out an optional value means, before and after; of a required one the default means nothing.

        `null` is what a default of null stands for: ABSENT where null cannot be written.
        """
        before, after = (
            null if value is None else value for value in (self.note(base, "default"), self.note(revision, "default"))
        )
        if before is ABSENT and after is ABSENT:
            return
        if required:
            if before is ABSENT or after is ABSENT or key_of(before) != key_of(after):
                yield Difference(self.kind("default-of-required-changed"))
        elif before is ABSENT:
            yield Difference(self.kind("default-added"), "", f"the default is now {shown(after)}")
        elif after is ABSENT:
            yield Difference(self.kind("default-removed"), "", f"the default was {shown(before)}")
        elif key_of(before) != key_of(after):
            yield Difference(self.kind("default-changed"), "", f"from {shown(before)} to {shown(after)}")
