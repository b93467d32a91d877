"""Comparison with an earlier result, and what `--fail-on new` forgives."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import UsageError
from conformance.run.baseline import compare, inherited, read_result, require_comparable
from conformance.run.verdict import conclude
from tests.reporting import sample


def changed(result: dict[str, Any], requirement: str, **changes: Any) -> dict[str, Any]:
    later = copy.deepcopy(result)
    row = next(row for row in later["requirements"] if row["id"] == requirement)
    row.update(changes)
    return later


def broken_at(*operations: str) -> dict[str, Any]:
    finding = {"expected": "", "actual": "", "curl": "", "fingerprint": "0" * 16}
    return {"outcome": "broken", "evidence": 1, "findings": [{**finding, "operation": name} for name in operations]}


def test_a_result_compared_with_itself_shows_no_change() -> None:
    comparison = compare(sample.result(), sample.result())
    assert (comparison.newly_broken, comparison.fixed, comparison.newly_untested) == ((), (), ())
    assert (sample.SAME_ID.id, "pipelines.deploy") in comparison.remaining


def test_what_broke_since_is_newly_broken_and_what_holds_again_is_fixed() -> None:
    good, bad = sample.conformant(), sample.result()
    pair = (sample.SAME_ID.id, "pipelines.deploy")
    assert pair in compare(good, bad).newly_broken
    assert pair in compare(bad, good).fixed


def test_a_promise_that_breaks_at_another_operation_is_newly_broken() -> None:
    before = changed(sample.conformant(), sample.SAME_ID.id, **broken_at("pipelines.deploy"))
    after = changed(sample.conformant(), sample.SAME_ID.id, **broken_at("pipelines.deploy", "pipelines.copy"))
    assert compare(before, after).newly_broken == ((sample.SAME_ID.id, "pipelines.copy"),)
    assert compare(after, before).fixed == ((sample.SAME_ID.id, "pipelines.copy"),)


def test_what_is_no_longer_exercised_is_newly_untested_and_not_fixed() -> None:
    comparison = compare(
        sample.result(), changed(sample.result(), sample.SAME_ID.id, outcome="untested", evidence=0, findings=[])
    )
    assert comparison.newly_untested == (sample.SAME_ID.id,)
    assert comparison.fixed == ()


def test_what_was_broken_and_is_out_of_scope_now_is_not_fixed() -> None:
    narrowed = {**sample.result(), "requirements": []}
    assert compare(sample.result(), narrowed).fixed == ()


def test_a_run_that_fails_only_for_what_is_new_passes_on_an_inherited_instance() -> None:
    known = inherited(sample.result())
    assert conclude(sample.ROWS, sample.findings(), (), sample.TODAY, inherited=known).exit_code == 0
    nothing_known = inherited(sample.conformant())
    assert conclude(sample.ROWS, sample.findings(), (), sample.TODAY, inherited=nothing_known).exit_code == 1


def test_a_written_result_is_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(sample.result()))
    assert read_result(path) == sample.result()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a result of this suite. At its top level"),
        ("{}", "is not a result"),
        (json.dumps({**sample.result(), "verdict": "conformant"}), "is not a result of this suite. At exit_code"),
    ],
)
def test_what_is_no_result_is_refused_in_a_sentence(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(UsageError, match=said):
        read_result(tmp_path / "r.json")


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"r\.json cannot be read"):
        read_result(tmp_path / "r.json")


def test_results_of_different_profiles_are_not_compared() -> None:
    require_comparable(sample.result(), "2023.4")
    with pytest.raises(UsageError, match=r"profile 2023\.4 and this run of 2026\.1"):
        require_comparable(sample.result(), "2026.1")
