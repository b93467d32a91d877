"""The catalogue of requirements: rows of specs/requirements.toml as values."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from conformance import data
from conformance.errors import UsageError
from conformance.model import Basis, Level, Requirement
from conformance.spec.document import Document

_CORE = {"id", "name", "operations", "text", "level", "basis", "source", "profiles", "unreached", "check"}
_PER_OPERATION = {"sources", "stands", "no_faults"}
FILE = "requirements.toml"


@dataclass(frozen=True)
class Aside:
    """Sentences of the tutorial, by digest, that promise and demand nothing, and the reason."""

    reason: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """Every requirement of one profile, in the file's order, and the sentences that stand for none.

    `left_out` holds by operation the ids of rows that are out of scope because the release has no such operation.
    """

    rows: tuple[Requirement, ...]
    asides: tuple[Aside, ...] = ()
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.rows)

    def __contains__(self, requirement_id: str) -> bool:
        return requirement_id in self.by_id

    @cached_property
    def by_id(self) -> Mapping[str, Requirement]:
        """Requirements by their id."""
        return {row.id: row for row in self.rows}

    def named(self, requirement_id: str) -> Requirement:
        """The row of that id; raises UsageError with the nearest id where there is none."""
        row = self.by_id.get(requirement_id)
        if row is None:
            said = {name: one.text for name, one in self.by_id.items()}
            raise UsageError(f"There is no requirement '{requirement_id}'{nearest(requirement_id, self.by_id, said)}.")
        return row

    def fields_of(self, operation: str) -> tuple[tuple[str, str], ...]:
        """(JSON path, requirement id) of the rows that promise one field of that operation's success body."""
        return self._fields.get(operation, ())

    @cached_property
    def _fields(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        return _fields(self.rows)


def standing(row: Requirement) -> tuple[tuple[str, str], ...]:
    """(heading, SHA-256 of the sentence) of each sentence of the tutorial that a row stands on; empty for none."""
    if "stands" in row.notes:
        return tuple((place["heading"], place["sentence"]) for place in row.notes["stands"])
    digests = row.notes.get("sentence", ())
    return tuple((row.notes["heading"], digest) for digest in ([digests] if isinstance(digests, str) else digests))


def _fields(rows: tuple[Requirement, ...]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for row in rows:
        if "field" in row.notes:
            found[row.operation] = (*found.get(row.operation, ()), (str(row.notes["field"]), row.id))
    return found


def nearest(name: str, known: Iterable[str], said: Mapping[str, str] | None = None) -> str:
    """A hint for a sentence: `; the nearest is '…'`, empty where nothing is near.

    Near is what is spelled almost so, else what has all the words of `name` in itself or in what is `said` of it, else
    what is spelled alike.
    """
    words = set(_words(name))
    likeness = {one: difflib.SequenceMatcher(None, name, one).ratio() for one in known}
    close = [one for one in likeness if likeness[one] >= _ALIKE]
    close = close or [one for one in likeness if words and words <= set(_words(one))]
    close = close or [one for one in likeness if said and words and words <= set(_words(f"{one} {said[one]}"))]
    close = close or [one for one in likeness if likeness[one] >= _NEAR]
    return f"; the nearest is '{max(close, key=lambda one: likeness[one])}'" if close else ""


_NEAR, _ALIKE = 0.5, 0.75
"""How like (difflib's ratio) a name must be to be near, and to be taken for a slip of the keyboard."""


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


@cache
def load(profile: str = "2023.4", path: Path | None = None) -> Catalogue:
    """The catalogue as it holds for a profile. Raises UsageError where the file breaks its own format."""
    path = path or data.SPECS / FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"The catalogue {path.name} cannot be read: {error}.") from error
    operations = tuple(raw["operations"])
    known = {*operations, *raw.get("areas", ())}
    rows = [_row(row["id"], row) for row in raw.get("requirement", ())]
    for family in raw.get("family", ()):
        named = operations if family["operations"] == ["*"] else tuple(family["operations"])
        rows += [_row(f"{operation}.{family['name']}", _of_family(family, operation)) for operation in named]
    seen: set[str] = set()
    for row in rows:
        if row.id in seen or row.operation not in known:
            raise UsageError(f"The catalogue {path.name} has '{row.id}' twice, or under no operation of the document.")
        seen.add(row.id)
    asides = tuple(Aside(aside["reason"], tuple(aside["sentences"])) for aside in raw.get("aside", ()))
    document = Document.load(profile)
    absent = [operation for operation in operations if not document.has(operation)]
    left_out = {name: tuple(row.id for row in rows if name in needed(row)) for name in absent}
    out = {row for rows_of in left_out.values() for row in rows_of}
    promised = (row for row in rows if row.id not in out and (not row.profiles or profile in row.profiles))
    return Catalogue(tuple(promised), asides, left_out)


def needed(row: Requirement) -> tuple[str, ...]:
    """The operations a row cannot be kept without: its own, and what `takes` names beside it."""
    return (row.operation, *row.notes.get("takes", ()))


def _of_family(family: Mapping[str, Any], operation: str) -> dict[str, Any]:
    row = {key: value for key, value in family.items() if key not in {"name", "operations"} | _PER_OPERATION}
    row["text"] = family["text"].replace("{operation}", operation)
    row["source"] = family.get("sources", {}).get(operation, family["source"])
    stands = family.get("stands", {}).get(operation)
    reason = family.get("no_faults", {}).get(operation)
    notes = ({"stands": stands} if stands else {}) | ({"no_fault": reason} if reason else {})
    return row | notes | {"family": family["name"]}


def _row(requirement_id: str, row: Mapping[str, Any]) -> Requirement:
    operation = requirement_id.rpartition(".")[0]
    try:
        made = Requirement(
            id=requirement_id,
            operation=operation,
            text=row["text"],
            level=Level(row["level"]),
            basis=Basis(row["basis"]),
            source=row["source"],
            profiles=tuple(row.get("profiles", ())),
            unreached=_Frozen(row.get("unreached", {})),
            check=row["check"],
            notes=_Frozen({key: value for key, value in row.items() if key not in _CORE}),
        )
        readings = set(made.notes.get("readings", ()))
        if readings and not {made.notes["held"], *made.notes.get("fair", ())} <= readings:
            raise ValueError("a reading among its readings")
    except (KeyError, ValueError) as error:
        raise UsageError(f"The catalogue's row '{requirement_id}' lacks or misspells {error}.") from error
    return made


class _Frozen(dict[str, Any]):
    """A mapping that can stand in a frozen, hashable row."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((key, repr(value)) for key, value in self.items())))
