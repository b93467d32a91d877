"""The `--ignore` file: changes a person accepts, each with a reason, an owner and a last day (TOML, `[[ignore]]`)."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.openapi.document import read_text
from conformance.drift.openapi.kinds import KINDS
from conformance.errors import UsageError

_SELECTORS = ("change", "kind", "operation", "location")
_NEEDED = ("reason", "owner", "last_day")


@dataclass(frozen=True)
class Ignored:
    """One entry. It speaks of the changes that have every selector it states; at least one of them is stated."""

    reason: str
    owner: str
    last_day: datetime.date
    selectors: tuple[tuple[str, str], ...]

    def selects(self, change: Change) -> bool:
        """Whether the entry speaks of this change."""
        has = {"change": change.id, "kind": change.kind, "operation": change.operation, "location": change.location}
        return all(has[name] == value for name, value in self.selectors)

    @property
    def about(self) -> str:
        """The entry's selectors in words."""
        return ", ".join(f"{name} {value}" for name, value in self.selectors)


def read_ignored(path: str | Path) -> tuple[Ignored, ...]:
    """The file's entries. Raises UsageError, one sentence, where it cannot be used."""
    try:
        entries = tomllib.loads(read_text(Path(path)))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    unknown = sorted(entries.keys() - {"ignore"})
    if unknown or not isinstance(entries.get("ignore", []), list):
        raise UsageError(f"{path} may hold [[ignore]] entries only{f', not {unknown[0]!r}' if unknown else ''}.")
    return tuple(_entry(entry, i, path) for i, entry in enumerate(entries.get("ignore", ()), 1))


def _entry(entry: Any, number: int, path: str | Path) -> Ignored:
    where = f"Entry {number} of {path}"
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is not an [[ignore]] table.")
    unknown = sorted(entry.keys() - {*_SELECTORS, *_NEEDED})
    if unknown:
        raise UsageError(f"{where} has {unknown[0]!r}; it may have {', '.join((*_SELECTORS, *_NEEDED))}.")
    missing = [name for name in _NEEDED if not str(entry.get(name, "")).strip()]
    if missing:
        raise UsageError(
            f"{where} has no {missing[0]}; say why the change is accepted, who answers for it and until when."
        )
    last_day = entry["last_day"]
    if isinstance(last_day, str):
        try:
            last_day = datetime.date.fromisoformat(last_day)
        except ValueError:
            raise UsageError(f"{where} has the last_day {last_day!r}, which is not a date (2026-12-31).") from None
    if not isinstance(last_day, datetime.date) or isinstance(last_day, datetime.datetime):
        raise UsageError(f"{where} has the last_day {last_day!r}, which is not a date (2026-12-31).")
    selectors = tuple((name, str(entry[name])) for name in _SELECTORS if name in entry)
    if not selectors:
        raise UsageError(f"{where} selects every change; name a {', a '.join(_SELECTORS)}.")
    if entry.get("kind", "operation-added") not in KINDS:
        raise UsageError(f"{where} names the kind {entry['kind']!r}, which does not exist.")
    return Ignored(str(entry["reason"]).strip(), str(entry["owner"]).strip(), last_day, selectors)


def leave_out(comparison: Comparison, entries: tuple[Ignored, ...], today: datetime.date) -> Comparison:
    """The comparison without what the entries accept. An entry past its day, or with nothing to accept, is stale."""
    kept: list[Change] = []
    ignored: list[tuple[Change, Ignored]] = []
    used: set[Ignored] = set()
    current = [entry for entry in entries if entry.last_day >= today]
    for change in comparison.changes:
        entry = next((entry for entry in current if entry.selects(change)), None)
        if entry is None:
            kept.append(change)
        else:
            ignored.append((change, entry))
        used.update(one for one in current if one.selects(change))
    stale = tuple((entry, _why(entry, today)) for entry in entries if entry not in used)
    return replace(comparison, changes=tuple(kept), ignored=tuple(ignored), stale=stale)


def _why(entry: Ignored, today: datetime.date) -> str:
    return f"its last day was {entry.last_day}" if entry.last_day < today else "no change needs it"
