"""What a valid request is about is read off it, and a refusal is told under the narrowest promise."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.checks import Rules, judge
from conformance.checks.promises import about
from conformance.model import Exchange
from tests.checks.built import after, copied, created, deployed, gone, infer, post, status, steps, undeployed

RULES = Rules.of()
STEPS = steps()
REFUSED = {"msg": "Bad request: no", "code": 400}


def asked(operation: str, question: dict[str, Any], *before: Exchange) -> str:
    return about(post(operation, question, REFUSED, 400), after(*before))


@pytest.mark.parametrize(
    ("question", "slug"),
    [
        ({"definition": {}}, "takes-an-empty-definition"),
        ({"definition": STEPS}, "takes-model-steps"),
        ({"definition": STEPS, "pipeline_id": "x" * 63}, "takes-names-of-63-characters"),
        ({}, ""),
    ],
    ids=["empty", "steps", "long", "none"],
)
def test_a_create_is_about_its_definition_or_its_name(question: dict[str, Any], slug: str) -> None:
    assert asked("pipelines.create", {"pipeline_id": "new", "workspace_id": 10} | question) == slug


def test_a_create_of_a_known_name_is_about_none_of_them() -> None:
    question = {"pipeline_id": "p", "workspace_id": 10, "definition": {}}
    assert asked("pipelines.create", question, created()) == ""


def deploy(*before: Exchange, **changes: Any) -> str:
    question = {"deploy_id": "p", "pipeline_id": 25, "pipeline_version_pk_id": 26} | changes
    return asked("pipelines.deploy", question, *before)


def test_a_deploy_is_about_how_its_models_are_named() -> None:
    for field in ("models", "model_ids", "model_configs"):
        assert deploy(created(), **{field: [1]}) == f"takes-{field.replace('_', '-')}"
    assert deploy(created(), engine_config={}, models=[1]) == "takes-an-engine-config"


def test_a_deploy_of_what_was_deployed_or_copied_is_about_that() -> None:
    once = (created(), deployed(), status())
    assert deploy(*once, models=[1]) == ""
    assert deploy(*once, undeployed(), gone(), models=[1]) == "takes-what-was-undeployed"
    assert (
        deploy(created(), created(variant=27, uuid="c29a277a-10b9-48f9-a738-aafb296df8c3")) == "takes-an-older-version"
    )
    of_copy = {"pipeline_id": 32, "pipeline_version_pk_id": 33}
    assert deploy(created(), copied(asked={"source_pipeline": 25}), **of_copy) == "takes-a-copy"


def test_an_undeploy_by_one_id_is_about_that_id() -> None:
    assert asked("pipelines.undeploy", {"pipeline_id": 25}) == "takes-the-pipeline-id-alone"
    assert asked("pipelines.undeploy", {"deployment_id": 14}) == "takes-the-deployment-id-alone"
    assert asked("pipelines.undeploy", {"deployment_id": 14, "pipeline_id": 25}) == ""


def test_a_refusal_breaks_the_narrow_promise_alone() -> None:
    question = {"pipeline_id": "new", "workspace_id": 10, "definition": {}}
    found = judge(post("pipelines.create", question, REFUSED, 400, intent="valid"), after(), RULES)
    broken = {
        finding.requirement
        for finding in found
        if not finding.held and RULES.catalogue.named(finding.requirement).gates
    }
    assert broken == {"pipelines.create.takes-an-empty-definition"}


def test_rows_in_one_form_are_about_that_form() -> None:
    assert about(infer(), after()) == "takes-pandas-records"
