"""One difference between two schemas, and how atoms are sorted to find them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.drift.openapi.kinds import KINDS
from conformance.drift.schema.atoms import Atom, Single, Term, type_of_atom
from conformance.drift.schema.values import ABSENT, TYPES

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


def by_type(atoms: Iterable[Atom]) -> dict[str, list[Atom]]:
    """The atoms by JSON type, in the types' usual order."""
    groups: dict[str, list[Atom]] = {kind: [] for kind in TYPES}
    for atom in atoms:
        groups[type_of_atom(atom)].append(atom)
    return {kind: group for kind, group in groups.items() if group}


def split(group: list[Atom]) -> tuple[list[Single], list[Atom]]:
    """The listed values, and the atoms that stand for many."""
    return [a for a in group if isinstance(a, Single)], [a for a in group if not isinstance(a, Single)]
