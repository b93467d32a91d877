"""The catalogue is printed with the evidence of a run; one requirement is told in full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import group
from conformance.cli.explain import broken_by, checked_by
from conformance.cli.requirements import evidence, remember
from conformance.emulator.faults import FAULTS
from conformance.errors import UsageError
from conformance.spec.requirements import load
from tests.reporting import sample

ROWS = load().by_id


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "wallaroo-conformance"


def printed(*arguments: str) -> str:
    outcome = CliRunner().invoke(group, arguments, standalone_mode=False)
    if outcome.exception:
        raise outcome.exception
    return outcome.output


def test_every_row_is_listed_in_both_forms() -> None:
    listed = json.loads(printed("requirements", "--format", "json"))
    assert [row["id"] for row in listed] == list(ROWS)
    text = printed("requirements")
    assert all(row in text for row in ROWS)
    assert text.splitlines()[-1].startswith(f"{len(ROWS)} requirements, ")


def test_the_last_run_is_remembered_with_its_evidence_and_readings(state: Path) -> None:
    assert evidence() == {}
    result = sample.result()
    seen = result["requirements"][0]
    remember(result | {"readings": {seen["id"]: "name: by name"}})
    assert (state / "last-result.json").is_file()
    assert evidence()[seen["id"]] == {
        "outcome": seen["outcome"],
        "evidence": seen["evidence"],
        "reading": "name: by name",
    }


def test_a_state_folder_that_cannot_be_written_keeps_nothing_and_stops_nobody(state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file", encoding="utf-8")
    remember(sample.result())
    assert evidence() == {}


def test_a_result_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="not a result"):
        printed("requirements", "--result", str(path))


def test_one_requirement_is_told_with_its_place_its_check_and_its_fault() -> None:
    told = " ".join(printed("explain", "pipelines.deploy.again-returns-the-same-id").split())
    assert "must, shown: broken, it makes a target non-conformant" in told
    assert "in the tutorial under “Deploy a Pipeline Returns”" in told
    assert "deployments.deployed: Deploying what is deployed returns the same id" in told
    assert "deploy-again-gives-a-new-id" in told


def test_a_contradiction_is_told_with_its_readings() -> None:
    told = printed("explain", "pipelines.deploy.takes-a-deploy-id-unlike-the-name")
    assert "Reading   free (ours): recorded" in told
    assert "Reading   same (fair too): the table" in told


def test_what_no_traffic_can_tell_says_why() -> None:
    assert "none: It is about a caption" in printed("explain", "admin.get-pipeline-external-url.has-a-mistaken-caption")


def test_every_row_can_be_told() -> None:
    for row in ROWS.values():
        assert checked_by(row)
        assert broken_by(row)
    assert any(fault.id in broken_by(ROWS[fault.breaks[0]]) for fault in FAULTS)


def test_an_unknown_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"the nearest is 'pipelines\.deploy\.takes-models'"):
        printed("explain", "pipelines.deploy.takes-model")
