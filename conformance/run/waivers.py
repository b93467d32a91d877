"""Waiver files: broken requirements excused by a person, for a reason, until a day."""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from conformance import data
from conformance.errors import UsageError
from conformance.model import Requirement, Waiver
from conformance.spec.requirements import nearest

LONGEST_DAYS = 180
"""A waiver's last day lies at most this many days ahead, so that each is looked at again."""

TODO = "TODO"
"""Stands in a proposed entry where a person must write; a file that still holds it is refused."""


def read_waivers(
    path: Path, requirements: Iterable[Requirement], today: datetime.date, operations: Iterable[str] | None = None
) -> tuple[Waiver, ...]:
    """The waivers of a TOML file (specs/waivers.schema.json), in its order; expired ones are among them.

    `requirements` are all rows of the catalogue, whatever the scope; `operations` the operation ids, by default those
    of the rows. Raises UsageError: unreadable, not TOML, against the schema, an unknown requirement (naming the
    nearest) or operation, a last day too far ahead, an entry twice, or a place a person has yet to fill in.
    """
    raw = _parsed(path)
    rows = {requirement.id: requirement for requirement in requirements}
    known = set(operations) if operations is not None else {row.operation for row in rows.values()}
    waivers = tuple(_waiver(entry) for entry in raw.get("waiver", ()))
    for number, waiver in enumerate(waivers, 1):
        _check(waiver, f"{path.name}, waiver {number}", rows, known, today)
    _refuse_twice(path, waivers)
    return waivers


def _parsed(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The waivers file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The waivers file {path} is not TOML: {error}.") from error
    problem = next(iter(_schema().iter_errors(_jsonable(raw))), None)
    if problem is not None:
        raise UsageError(
            f"The waivers file {path.name} does not match its schema{_where(problem.instance_path)}: {problem.message}."
        )
    return raw


def _where(path: Sequence[str | int]) -> str:
    """`, waiver 2, last_day` for the path `waiver/1/last_day`."""
    named = [f"waiver {key + 1}" if isinstance(key, int) else key for key in path if key != "waiver"]
    return "".join(f", {name}" for name in named)


@cache
def _schema() -> Any:
    schema = json.loads((data.SPECS / "waivers.schema.json").read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    is_day = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return value.isoformat() if is_day else value if isinstance(value, str | int | float | bool) else str(value)


def _waiver(entry: Mapping[str, Any]) -> Waiver:
    day = entry["last_day"]
    return Waiver(
        requirement=entry["requirement"],
        reason=entry["reason"].strip(),
        owner=entry["owner"].strip(),
        last_day=day if isinstance(day, datetime.date) else datetime.date.fromisoformat(day),
        operation=entry.get("operation", ""),
        profile=entry.get("profile", ""),
        fingerprint=entry.get("fingerprint", ""),
    )


def _check(
    waiver: Waiver, where: str, rows: Mapping[str, Requirement], operations: set[str], today: datetime.date
) -> None:
    if TODO in (waiver.reason[: len(TODO)], waiver.owner[: len(TODO)]):
        raise UsageError(f"{where}: reason and owner are missing. Write why this is excused, and who is responsible.")
    if waiver.requirement not in rows:
        raise UsageError(f"{where}: there is no requirement '{waiver.requirement}'{nearest(waiver.requirement, rows)}.")
    if waiver.operation and waiver.operation not in operations:
        raise UsageError(f"{where}: there is no operation '{waiver.operation}'{nearest(waiver.operation, operations)}.")
    latest = today + datetime.timedelta(days=LONGEST_DAYS)
    if waiver.last_day > latest:
        raise UsageError(
            f"{where}: its last day {waiver.last_day} is more than {LONGEST_DAYS} days ahead; {latest} is the latest."
        )


def _refuse_twice(path: Path, waivers: Sequence[Waiver]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for number, waiver in enumerate(waivers, 1):
        key = (waiver.requirement, waiver.operation, waiver.profile, waiver.fingerprint)
        if key in seen:
            raise UsageError(f"{path.name}: waivers {seen[key]} and {number} excuse the same; keep one.")
        seen[key] = number


def expired(waivers: Iterable[Waiver], today: datetime.date) -> list[Waiver]:
    """Those whose last day has passed."""
    return [waiver for waiver in waivers if waiver.last_day < today]


def propose(result: Mapping[str, Any], today: datetime.date, days: int = 30) -> str:
    """TOML with one entry per broken finding of a result, reason and owner left for a person to write.

    Requirements that gate come first; what is waived already is left out.
    """
    broken = [row for row in result["requirements"] if row["outcome"] == "broken"]
    broken.sort(key=lambda row: not row["gates"])
    last_day = today + datetime.timedelta(days=days)
    head = (
        f"# Proposed from a run against {_line(result['target']['url'])}, profile {_line(result['profile'])}.\n"
        f"# Write a reason and an owner: a file that still contains {TODO} is refused.\n"
        "# Remove the entries that will be fixed rather than excused.\n"
    )
    entries = [
        _proposed(row, finding, result["profile"], last_day)
        for row in broken
        for finding in {f["operation"]: f for f in reversed(row["findings"])}.values()
    ]
    return "\n".join([head, *entries])


def _proposed(row: Mapping[str, Any], finding: Mapping[str, Any], profile: str, last_day: datetime.date) -> str:
    lines = [
        f"# {_line(row['text'])}",
        f"# Expected: {_line(finding['expected'])}",
        f"# Actual:   {_line(finding['actual'])}",
        "[[waiver]]",
        f"requirement = {_string(row['id'])}",
        f"operation = {_string(finding['operation'])}",
        f"profile = {_string(profile)}",
        f"reason = {_string(TODO)}",
        f"owner = {_string(TODO)}",
        f"last_day = {last_day}",
        "",
    ]
    return "\n".join(lines)


def _line(text: str) -> str:
    """One line that a TOML comment can hold."""
    return "".join(character if character.isprintable() else " " for character in text)[:200]


def _string(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's, DEL aside."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
