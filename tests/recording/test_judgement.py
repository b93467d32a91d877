"""The package's recordings hold, and every copy of them that breaks the description or a relation is reported."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import Rules
from conformance.recording.judgement import judge_traffic
from conformance.recording.recording import parse
from conformance.spec.crosscheck import DocumentValidator
from tests.recording.conftest import RECORDINGS, raw_recording
from tests.recording.mutants import mutants

COLUMN = re.compile(r"0\.(in|out)\.")
"""Columns are named and typed by the model, which a recording by itself does not know."""

OPTIONAL = {
    "check_failures",  # absent in other releases
    *("pipeline_version", "deployment"),  # the vendor's schema of copy does not demand them
    *("dense_input", "dense_1"),  # columns are the model's own names
}


def gating(tally: Any, rules: Rules) -> set[str]:
    return {f.requirement for f in tally.broken.values() if rules.catalogue.named(f.requirement).gates}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recording_holds_what_it_speaks_of_and_breaks_nothing(path: Path, rules: Rules, judged: Any) -> None:
    tally = judged(json.loads(path.read_text(encoding="utf-8")))
    assert tally.judged == 1
    assert tally.held
    assert not tally.broken


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_fast_and_independent_validator_agree_on_every_copy_and_check_reports_it(path: Path, rules: Rules) -> None:
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw.pop("session", None)
    slow = DocumentValidator(rules.document)
    disagreeing, unreported, bad = [], [], 0
    for name, body in [("unchanged", raw["response"]["body"]), *mutants(raw["response"]["body"])]:
        for status in (200, None):
            changed = copy.deepcopy(raw)
            changed["response"] |= {"body": body, "status": status}
            exchange = parse(changed, rules.document, str(path)).exchange
            invalid = bool(slow.response_problems(exchange))
            bad += invalid
            if invalid != bool(rules.validator.response_problems(exchange)):
                disagreeing.append(name)
            reported = bool(gating(judge_traffic([("", [exchange])], rules), rules))
            if invalid and not reported:
                unreported.append((name, status))
    assert not disagreeing
    assert not unreported
    assert bad or raw["response"]["body"] is None


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_required_field_can_be_dropped_and_no_declared_one_retyped_unseen(path: Path, rules: Rules) -> None:
    raw = json.loads(path.read_text(encoding="utf-8"))
    unseen = []
    for name, body in mutants(raw["response"]["body"]):
        changed = copy.deepcopy(raw)
        changed["response"]["body"] = body
        exchange = parse(changed, rules.document, str(path)).exchange
        if not gating(judge_traffic([("", [exchange])], rules), rules):
            unseen.append(name)
    assert {name.split(".")[-1].split()[-1] for name in unseen if name.startswith("without")} <= OPTIONAL
    assert [name for name in unseen if name.startswith("retyped") and not COLUMN.search(name)] == []


def session(*names: str) -> list[dict[str, Any]]:
    raws = [raw_recording(name) | {"session": "one", "order": number} for number, name in enumerate(names)]
    return copy.deepcopy(raws)


LIFECYCLE = (
    "pipelines.create/with-model-by-requests",
    "pipelines.create/with-model-by-curl-same-name",
    "pipelines.deploy/by-requests",
    "pipelines.deploy/by-curl-again",
    "status.get-deployment/running",
    "admin.get-pipeline-external-url/of-deployed",
    "pipelines.infer/one-row",
    "pipelines.copy/by-curl",
)
CONTRADICTIONS = {
    "another pipeline for the same name": (1, ("pipeline_pk_id",), 77, "pipelines.create.same-name-keeps-the-pipeline"),
    "a version given before": (1, ("pipeline_variant_pk_id",), 29, "pipelines.create.each-create-adds-a-version"),
    "another id for a second deploy": (3, ("id",), 15, "pipelines.deploy.again-returns-the-same-id"),
    "the sha of something else": (
        4,
        ("engines", 0, "model_statuses", "models", 0, "sha"),
        "0" * 64,
        "status.get-deployment.model-sha-is-the-deployed",
    ),
    "the URL of another deployment": (
        5,
        ("url",),
        "https://doc-test.api.wallarooexample.ai/v1/api/pipelines/infer/api-pipeline-with-models-15/api-pipeline-with-models",
        "admin.get-pipeline-external-url.names-deployment-and-pipeline",
    ),
    "an engine that is none of the deployment's": (
        6,
        (0, "metadata", "partition"),
        "engine-000-aaa",
        "pipelines.infer.partition-is-an-engine",
    ),
    "a copy that is an existing pipeline": (7, ("pipeline_pk_id",), 28, "pipelines.copy.makes-a-new-pipeline"),
}


def test_the_lifecycle_as_recorded_is_conformant(judged: Any) -> None:
    tally = judged(*session(*LIFECYCLE))
    assert not tally.broken
    assert tally.held["pipelines.deploy.again-returns-the-same-id", "pipelines.deploy"] == 1


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_relation_contradicted_within_the_traffic_is_reported(name: str, rules: Rules, judged: Any) -> None:
    place, path, value, requirement = CONTRADICTIONS[name]
    raws = session(*LIFECYCLE)
    parent = raws[place]["response"]["body"]
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    assert requirement in gating(judged(*raws), rules)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_recordings_of_no_session_contradict_nobody(name: str, judged: Any) -> None:
    raws = [raw | {"session": ""} for raw in session(*LIFECYCLE)]
    raws[3]["response"]["body"]["id"] = 15
    assert not judged(*raws).broken


def test_broken_findings_are_kept_once_and_counted_always(rules: Rules) -> None:
    raw = raw_recording("pipelines.deploy/by-requests")
    raw["response"]["body"] = {}
    exchange = parse(raw, rules.document).exchange
    tally = judge_traffic([("", [exchange])] * 50, rules)
    (finding,) = tally.broken.values()
    assert tally.held[finding.requirement, finding.operation] == 49


def test_a_status_that_was_not_recorded_is_not_judged(rules: Rules) -> None:
    exchange = parse(raw_recording("pipelines.deploy/by-requests"), rules.document).exchange
    seen = {requirement for requirement, _ in judge_traffic([("", [exchange])], rules).held}
    recorded = dataclasses.replace(exchange, labels=frozenset())
    then = {requirement for requirement, _ in judge_traffic([("", [recorded])], rules).held}
    assert then - seen == {"pipelines.deploy.succeeds-with-its-documented-status"}
