"""Comparison with an earlier result: what is newly broken, fixed, or no longer exercised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from conformance import data
from conformance.errors import UsageError
from conformance.run.verdict import Inherited

Pair = tuple[str, str]
"""Requirement id and the operation it showed at."""


@dataclass(frozen=True)
class Comparison:
    """What changed between two results. `remaining` was broken in both.

    A requirement is newly untested where the earlier result had evidence of it. Rows that only one of the results
    knows (another scope, another release of the suite) are compared as far as the later one knows them.
    """

    newly_broken: tuple[Pair, ...]
    fixed: tuple[Pair, ...]
    newly_untested: tuple[str, ...]
    remaining: tuple[Pair, ...]

    def as_json(self) -> dict[str, Any]:
        """For the key `baseline` of a result."""
        named = {"newly_broken": self.newly_broken, "fixed": self.fixed, "remaining": self.remaining}
        pairs = {name: [{"requirement": r, "operation": o} for r, o in value] for name, value in named.items()}
        return {**pairs, "newly_untested": [{"requirement": requirement} for requirement in self.newly_untested]}


def read_result(path: Path) -> dict[str, Any]:
    """A result that a run wrote. Raises UsageError where the file cannot be read or is no result."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The result {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The result {path} is not JSON; give a file that `--report json=FILE` wrote.") from error
    problem = next(iter(_schema().iter_errors(raw)), None)
    if problem is not None:
        where = "/".join(map(str, problem.instance_path)) or "its top level"
        raise UsageError(f"{path} is not a result of this suite. At {where}: {problem.message[:200]}.")
    result: dict[str, Any] = raw
    return result


@cache
def _schema() -> Any:
    schema = json.loads((data.SPECS / "result.schema.json").read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for(schema)


def inherited(earlier: Mapping[str, Any]) -> Inherited:
    """What `--fail-on new` does not hold against a run: what the earlier one showed broken, waived or untested."""
    untested = frozenset(row["id"] for row in earlier["requirements"] if row["outcome"] == "untested")
    return Inherited(frozenset(_broken(earlier)), untested)


def require_comparable(earlier: Mapping[str, Any], profile: str) -> None:
    """Raise UsageError where the earlier result is about another profile: its promises are others."""
    if earlier["profile"] != profile:
        raise UsageError(
            f"The baseline is of profile {earlier['profile']} and this run of {profile}; "
            "compare results of the same profile, or make a new baseline."
        )


def compare(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Comparison:
    """What changed from one result to another, in the later one's order."""
    before, now = _broken(earlier), _broken(later)
    outcomes = {row["id"]: row["outcome"] for row in later["requirements"]}
    exercised = {row["id"] for row in earlier["requirements"] if row["outcome"] != "untested"}
    return Comparison(
        newly_broken=tuple(pair for pair in now if pair not in before),
        fixed=tuple(
            pair for pair in before if pair not in now and outcomes.get(pair[0]) in ("held", "broken", "waived")
        ),
        newly_untested=tuple(row for row, outcome in outcomes.items() if outcome == "untested" and row in exercised),
        remaining=tuple(pair for pair in now if pair in before),
    )


def _broken(result: Mapping[str, Any]) -> dict[Pair, None]:
    return {
        (row["id"], finding["operation"]): None
        for row in result["requirements"]
        if row["outcome"] in ("broken", "waived")
        for finding in row["findings"]
    }
