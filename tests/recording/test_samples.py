"""HARs as other tools wrote them against the emulated instance, redacted: Chromium through Playwright, schemathesis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.checks import Rules
from conformance.recording.judgement import Tally, judge_traffic
from conformance.recording.leaks import scan
from conformance.recording.traffic import read

DATA = Path(__file__).parent / "data"


def judged(path: Path, rules: Rules) -> Tally:
    return judge_traffic(read([path], rules.document), rules)


@pytest.mark.parametrize(
    ("name", "exchanges", "of_operations"),
    [("chromium.har", 18, 12), ("schemathesis.har", 40, 21), ("schemathesis-bytes.har", 10, 10)],
)
def test_what_other_tools_wrote_is_judged_and_found_conformant(
    name: str, exchanges: int, of_operations: int, rules: Rules
) -> None:
    tally = judged(DATA / name, rules)
    assert (tally.exchanges, tally.judged) == (exchanges, of_operations)
    assert sum(tally.held.values()) > of_operations
    assert not tally.broken


def test_chromiums_traffic_shows_the_relations(rules: Rules) -> None:
    held = {requirement for requirement, _ in judged(DATA / "chromium.har", rules).held}
    assert "pipelines.deploy.again-returns-the-same-id" in held
    assert "pipelines.create.same-name-keeps-the-pipeline" in held
    assert "admin.get-pipeline-external-url.names-deployment-and-pipeline" in held


def test_a_second_deploy_of_another_id_is_reported(tmp_path: Path, rules: Rules) -> None:
    raw = json.loads((DATA / "chromium.har").read_text(encoding="utf-8"))
    deploys = [entry for entry in raw["log"]["entries"] if entry["request"]["url"].endswith("/pipelines/deploy")]
    deploys[1]["response"]["content"] |= {"text": '{"id":15}', "encoding": ""}
    (tmp_path / "x.har").write_text(json.dumps(raw), encoding="utf-8")
    broken = {finding.requirement for finding in judged(tmp_path / "x.har", rules).broken.values()}
    assert "pipelines.deploy.again-returns-the-same-id" in broken


def test_the_samples_hold_no_secret() -> None:
    assert list(scan([DATA])) == []
