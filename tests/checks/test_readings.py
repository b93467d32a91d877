"""Each contradiction is resolved by what an instance does, in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.checks import Rules
from conformance.checks.readings import RESOLVERS, followed
from conformance.model import Exchange
from tests.checks.built import (
    MADE,
    RUNNING,
    SERVING,
    UUIDS,
    after,
    copied,
    created,
    deployed,
    gone,
    infer,
    listed,
    listed_workspaces,
    post,
    record,
    running,
    status,
    undeployed,
    uploaded,
    url,
    version,
)

RULES = Rules.of()
G, C, D, U, K = (
    "status.get-deployment.",
    "pipelines.create.",
    "pipelines.deploy.",
    "pipelines.undeploy.",
    "pipelines.copy.",
)
X, N, M, V = (
    "admin.get-pipeline-external-url.",
    "pipelines.infer.",
    "models.upload-and-convert.",
    "models.list-versions.",
)
ERROR = {"msg": "Bad request: no", "code": 400}
LAST = {"metadata": {"last_model": {"model_name": "m", "model_sha": "0"}}}


def _probed(requirement: str, served: bool, reading: str) -> tuple[str, Exchange, str]:
    operation, _, slug = requirement.rpartition(".")
    answer, code = (RUNNING, 200) if served else (ERROR, 400)
    return requirement, post(operation, {"a": 1}, answer, code, labels=[f"reading:{slug}"]), reading


def _deploy(code: int = 200, **more: Any) -> Exchange:
    question = {"deploy_id": "p", "pipeline_version_pk_id": 26, "pipeline_id": 25, **more}
    return post("pipelines.deploy", question, {"id": 14} if code == 200 else ERROR, code, intent="valid")


def _integer_version() -> Exchange:
    models = [{"name": "m", "version": 7, "sha": "0"}]
    return created(definition={"steps": [{"ModelInference": {"models": models}}]})


CASES: tuple[tuple[str, Exchange, str], ...] = (
    _probed(G + "reads-name-rather-than-id", True, "id"),
    _probed(G + "reads-name-rather-than-id", False, "name"),
    (G + "lists-details-as-texts", status(running(details=["x"])), "texts"),
    (G + "lists-details-as-texts", status(running(details=[{}])), "objects"),
    (G + "is-404-once-gone", gone(), "missing"),
    (G + "is-404-once-gone", status(ERROR, 410), "stopped"),
    _probed(C + "reads-the-definition-as-an-object", True, "string"),
    _probed(C + "reads-the-definition-as-an-object", False, "object"),
    (C + "names-model-versions-by-uuid", created(), "uuid"),
    (C + "names-model-versions-by-uuid", _integer_version(), "integer"),
    (C + "takes-the-workspace-it-is-given", created(workspace_id=11, intent="valid"), "given"),
    (C + "takes-the-workspace-it-is-given", created(workspace_id=11, intent="valid", status=400), "ten"),
    (C + "errors-have-msg-and-code", post("pipelines.create", {}, ERROR, 400), "object"),
    (C + "errors-have-msg-and-code", post("pipelines.create", {}, b"no", 400), "text"),
    (D + "reads-engine-config-as-an-object", _deploy(engine_config={}), "object"),
    (D + "reads-engine-config-as-an-object", _deploy(400, engine_config={}), "string"),
    (D + "calls-a-version-by-three-names", _deploy(), "variant"),
    (D + "calls-a-version-by-three-names", _deploy(400), "other"),
    _probed(D + "wants-models-or-not", True, "optional"),
    _probed(D + "wants-models-or-not", False, "required"),
    _probed(D + "takes-a-deploy-id-unlike-the-name", True, "free"),
    _probed(D + "takes-a-deploy-id-unlike-the-name", False, "same"),
    (K + "takes-what-stands-under-returns", copied(intent="valid"), "parameters"),
    (K + "takes-what-stands-under-returns", copied(intent="valid", answered={"source_pipeline": 25}), "returns"),
    (K + "stands-where-its-examples-send-to", copied(intent="valid"), "post"),
    (K + "stands-where-its-examples-send-to", copied(intent="valid", status=404), "elsewhere"),
    (U + "is-asked-by-either-id", undeployed(intent="valid"), "either"),
    (U + "is-asked-by-either-id", post("pipelines.undeploy", {"pipeline_id": 25}, ERROR, 400, intent="valid"), "both"),
    (U + "returns-nothing-as-null", undeployed(), "null"),
    (U + "returns-nothing-as-null", undeployed(body=b""), "empty"),
    (U + "returns-nothing-as-null", undeployed(body=b"{}"), "object"),
    _probed(X + "is-asked-by-the-pipelines-name", False, "pipeline"),
    _probed(X + "is-asked-by-the-pipelines-name", True, "deployment"),
    (X + "is-404-for-the-unknown", url(code=404, labels=["never-was"]), "missing"),
    (X + "is-404-for-the-unknown", url(code=400, labels=["never-was"]), "other"),
    (N + "writes-last-model-as-a-text", infer(), "string"),
    (N + "writes-last-model-as-a-text", infer([record([1.0, 2.0, 3.0], **LAST)]), "object"),
    (M + "takes-a-file-name-without-ending", uploaded(labels=["reading:takes-a-file-name-without-ending"]), "any"),
    (M + "takes-a-file-name-without-ending",
     uploaded(status=400, labels=["reading:takes-a-file-name-without-ending"]), "known"),
    (M + "takes-any-visibility", uploaded(labels=["reading:takes-any-visibility"]), "any"),
    (M + "takes-any-visibility", uploaded(status=400, labels=["reading:takes-any-visibility"]), "known"),
    (M + "is-accepted-not-done", uploaded(), "accepted"),
    (M + "is-accepted-not-done", uploaded(status=200), "done"),
    (M + "answers-the-versions-id", listed(version()), "version"),
    (M + "answers-the-versions-id", listed(version(3) | {"id": 9, "models_pk_id": 5}), "model"),
    (V + "joins-its-filters-by-or",
     listed(version(), version(7, model_id="other"), labels=["reading:joins-its-filters-by-or"]), "or"),
    (V + "joins-its-filters-by-or", listed(version(), labels=["reading:joins-its-filters-by-or"]), "and"),
    (V + "has-no-order", listed(version(6), version(5)), "none"),
    (V + "has-no-order", listed(version(5), version(6)), "ascending"),
    (V + "tells-a-status-of-its-own", listed(version()), "free"),
    (V + "tells-a-status-of-its-own", listed(version(status=None)), "absent"),
    (V + "owners-are-not-always-uuids", listed(version()), "quotes"),
    (V + "owners-are-not-always-uuids", listed(version(owner_id=UUIDS[0])), "uuid"),
    (V + "owners-are-not-always-uuids", listed(version(owner_id="somebody")), "other"),
    ("workspaces.list.creators-are-not-always-uuids", listed_workspaces({"id": 10, "name": "ours"}), "uuid"),
    ("workspaces.list.creators-are-not-always-uuids",
     listed_workspaces({"id": 10, "name": "o", "created_by": "a@b.example"}), "mail"),
)  # fmt: skip
_WORLD = after(*SERVING, undeployed(), listed_workspaces({"id": 11, "name": "other"}))


@pytest.mark.parametrize(("requirement", "exchange", "reading"), CASES, ids=lambda value: str(value)[:60])
def test_an_instance_is_told_which_reading_it_follows(requirement: str, exchange: Exchange, reading: str) -> None:
    found = [one for one in followed(exchange, _WORLD, RULES) if one.requirement == requirement]
    assert [one.actual.partition(":")[0] for one in found] == [reading]
    row = RULES.catalogue.named(requirement)
    assert found[0].held is (reading in (row.notes["held"], *row.notes.get("fair", ())))


def test_every_resolver_is_tried_with_the_reading_we_hold_to_and_with_another() -> None:
    tried: dict[str, set[str]] = {}
    for requirement, _, reading in CASES:
        tried.setdefault(requirement, set()).add(reading)
    resolved = {requirement for pairs in RESOLVERS.values() for requirement, _ in pairs}
    assert set(tried) == resolved
    assert all(len(readings) > 1 for readings in tried.values())


def test_a_stranger_or_an_outage_shows_no_reading() -> None:
    ledger = after(*MADE)
    assert list(followed(deployed(status=401, intent="valid"), ledger, RULES)) == []
    assert list(followed(post("pipelines.copy", {}, b"", 405, intent="valid"), ledger, RULES)) == []
