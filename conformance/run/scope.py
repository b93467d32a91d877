"""What a run is about: the suites, requirements and operations asked for, as far as the release has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.checks import Rules
from conformance.errors import UsageError
from conformance.model import Effect, Requirement
from conformance.spec.requirements import Catalogue, nearest

DEFAULT_SUITE = "lifecycle"


def lacks(rules: Rules, name: str) -> str:
    """Why a release leaves out what is about this operation or requirement; empty where it has it."""
    document = rules.document
    if document.has(name) or rules.holds(name):
        return ""
    for operation, rows in rules.catalogue.left_out.items():
        if name == operation or name in rows:
            return f"Release {document.profile} has no {operation}."
    return f"Release {document.profile} does not promise {name}."


def known_suites() -> tuple[str, ...]:
    """Names of the suites there are: the modules `test_NAME` beside each other."""
    folder = Path(__file__).resolve().parent.parent / "suites"
    return tuple(sorted(path.stem.removeprefix("test_") for path in folder.glob("test_*.py")))


def suite_of(row: Requirement) -> str:
    """The suite that must exercise a requirement: the row's own word, else the lifecycle."""
    return str(row.notes.get("suite", DEFAULT_SUITE))


def scope_of(catalogue: Catalogue, suites: Sequence[str], only: Sequence[str]) -> frozenset[str] | None:
    """Requirement ids a narrowed run is about; None where nothing narrows it. Raises UsageError on an unknown id."""
    if not suites and not only:
        return None
    for suite in suites:
        if suite not in known_suites():
            raise UsageError(
                f"There is no suite '{suite}'{nearest(suite, known_suites())}; there are {', '.join(known_suites())}."
            )
    chosen = {row.id for row in catalogue.rows if not suites or suite_of(row) in suites}
    if only:
        chosen &= {row.id for pattern in only for row in _matching(catalogue, pattern)}
    return frozenset(chosen)


def suites_needed(catalogue: Catalogue, suites: Sequence[str], only: Sequence[str]) -> frozenset[str] | None:
    """Suites whose items a narrowed run takes; None for all."""
    scope = scope_of(catalogue, suites, only)
    if scope is None:
        return None
    return frozenset(suites) or frozenset(suite_of(row) for row in catalogue.rows if row.id in scope)


def only_read(rules: Rules, scope: frozenset[str] | None) -> tuple[tuple[Requirement, ...], frozenset[str]]:
    """The rows and the scope of a run that may only read: what reads promise, as far as nothing must be made for it."""
    reading = {one.id for one in rules.document.operations if one.effect is Effect.READ}
    ids = frozenset(row.id for row in rules.catalogue.rows if row.operation in reading)
    why = "It needs something that the run creates itself, and a read-only run creates nothing."
    rows = tuple(
        replace(row, unreached=dict.fromkeys(("live", "emulated"), why) | dict(row.unreached)) if row.id in ids else row
        for row in rules.catalogue.rows
    )
    return rows, ids if scope is None else ids & scope


def without_partial(
    catalogue: Catalogue, scope: frozenset[str] | None, partial: Collection[str], seen: Collection[str]
) -> frozenset[str] | None:
    """The scope of a run whose items were chosen by pytest: of suites that ran in part, what was seen."""
    if not partial:
        return scope
    chosen = {row.id for row in catalogue.rows if row.id in seen or suite_of(row) not in partial}
    return frozenset(chosen if scope is None else chosen & scope)


def scope_in_words(
    suites: Sequence[str], only: Sequence[str], *, reading: bool = False, partial: Collection[str] = (), shard: str = ""
) -> str:
    """The scope as a phrase for people."""
    parts = [f"shard {shard}"] if shard else []
    parts += ["reading only"] if reading else []
    if partial:
        parts.append("items selected by pytest options")
    if suites:
        parts.append("suite " + ", ".join(suites))
    if only:
        parts.append("only " + ", ".join(only))
    return "; ".join(parts) or "everything"


def _matching(catalogue: Catalogue, pattern: str) -> list[Requirement]:
    rows = [row for row in catalogue.rows if pattern in (row.id, row.operation) or fnmatchcase(row.id, pattern)]
    if not rows:
        known = [*catalogue.by_id, *dict.fromkeys(row.operation for row in catalogue.rows)]
        raise UsageError(f"--only {pattern} matches no requirement and no operation{nearest(pattern, known)}.")
    return rows
