"""Faults of validation: a required field is missing or has another type, and the request is served."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from conformance.emulator.faults.fault import Fault, asking, fault, is_of, question
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import Answer, Call, answered

_CREATE = "pipelines.create"
_COPY = "pipelines.copy"
_DEPLOY = "pipelines.deploy"
_STATUS = "status.get-deployment"
_URL = "admin.get-pipeline-external-url"


Guess = Callable[[dict[str, Any], State], Any]
"""A value for a field that is missing or of the wrong type, from the rest of the body."""


def _newest(query: str) -> Guess:
    def guess(body: dict[str, Any], state: State) -> Any:
        row = state.store.one(query)
        return row[0] if row else 1

    return guess


def _by(field: str, query: str) -> Guess:
    """From the row that another field names, else from the newest."""

    def guess(body: dict[str, Any], state: State) -> Any:
        value = body.get(field)
        row = state.store.one(query, value) if is_of(value, int) or isinstance(value, str) else None
        return row[0] if row else 0

    return guess


def _fresh(body: dict[str, Any], state: State) -> Any:
    return f"unnamed-{uuid.uuid4().hex[:8]}"


def _workspace(body: dict[str, Any], state: State) -> Any:
    return 10


_GUESSES: tuple[tuple[str, str, type, Guess], ...] = (
    (_CREATE, "pipeline_id", str, _fresh),
    (_CREATE, "workspace_id", int, _workspace),
    (_DEPLOY, "deploy_id", str, _fresh),
    (_DEPLOY, "pipeline_id", int, _by("pipeline_version_pk_id", "SELECT pipeline_id FROM variant WHERE id = ?")),
    (_DEPLOY, "pipeline_version_pk_id", int, _by("pipeline_id", "SELECT max(id) FROM variant WHERE pipeline_id = ?")),
    (_COPY, "name", str, _fresh),
    (_COPY, "workspace_id", int, _by("source_pipeline", "SELECT workspace_id FROM pipeline WHERE id = ?")),
    (_COPY, "source_pipeline", int, _by("workspace_id", "SELECT max(id) FROM pipeline WHERE workspace_id = ?")),
    (
        _STATUS,
        "name",
        str,
        _newest("SELECT n.name || '-' || d.id FROM deployment d JOIN deployment_name n ON n.deployment_id = d.id"
                " WHERE d.stopped IS NULL"),
    ),
    (_URL, "workspace_id", int, _by("pipeline_name", "SELECT workspace_id FROM pipeline WHERE name = ?")),
    (
        _URL,
        "pipeline_name",
        str,
        _newest("SELECT p.name FROM deployment d JOIN pipeline p ON p.id = d.pipeline_id WHERE d.stopped IS NULL"),
    ),
    ("workspaces.create", "workspace_name", str, _fresh),
)  # fmt: skip
"""Operation, field, its type, and what a lax service would take in its place."""


def _guessing(field: str, kind: type, guess: Guess, *, missing: bool) -> Middleware:
    """Middleware that fills in a field that is missing, or replaces one that has another type."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        body = question(call)
        lax = field not in body if missing else field in body and not is_of(body[field], kind)
        if not lax or not call.body.lstrip().startswith(b"{"):
            return await proceed(call)
        return await proceed(asking(call, body | {field: guess(body, state)}))

    return around


def _pair(operation: str, field: str, kind: type, guess: Guess) -> tuple[Fault, Fault]:
    """The two faults of a field: its absence is not noticed, and its type is not."""
    short, name = operation.partition(".")[2].replace("get-", ""), field.replace("_", "-")
    form = "a-text" if kind is str else "an-integer"
    missing, wrong = (_guessing(field, kind, guess, missing=each) for each in (True, False))
    return (
        fault(
            f"{short}-guesses-{name}",
            "robustness",
            f"{operation} without {field} takes a value of its own choice.",
            missing,
            f"{operation}.requires-{name}",
        ),
        fault(
            f"{short}-replaces-{name}",
            "robustness",
            f"{operation} takes a value of its own choice for a {field} of another type.",
            wrong,
            f"{operation}.takes-{name}-as-{form}-only",
        ),
    )


def _ignoring(field: str) -> Middleware:
    """A list that is none is taken for none at all."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        body = question(call)
        if body.get(field) is None or isinstance(body[field], list):
            return await proceed(call)
        return await proceed(asking(call, {name: value for name, value in body.items() if name != field}))

    return around


def _without_incomplete_models(key: str) -> Middleware:
    """Models that lack a key are passed over."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        body = question(call)
        models = body.get("models")
        if not isinstance(models, list):
            return await proceed(call)
        whole = [each for each in models if not isinstance(each, dict) or key in each]
        return await proceed(asking(call, body | {"models": whole}))

    return around


async def _undeploys_nothing(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    body = question(call)
    named = any(body.get(name) is not None for name in ("pipeline_id", "deployment_id"))
    return answered(None) if answer.status == 400 and not named and call.body[:1] == b"{" else answer


async def _undeploys_any_type(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    values = [question(call).get(name) for name in ("pipeline_id", "deployment_id")]
    odd = any(value is not None and not is_of(value, int) for value in values)
    return answered(None) if answer.status == 400 and odd else answer


def _filtering_by(field: str, kind: type) -> Middleware:
    """A filter of another type is not applied."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        body = question(call)
        if body.get(field) is None or is_of(body[field], kind):
            return await proceed(call)
        return answered([])

    return around


FAULTS = (
    *(fault for row in _GUESSES for fault in _pair(*row)),
    *(
        fault(
            f"deploy-ignores-odd-{field.replace('_', '-')}",
            "robustness",
            f"A deploy whose {field} is no list is served as if there were none.",
            _ignoring(field),
            f"{_DEPLOY}.takes-{field.replace('_', '-')}-as-a-list-only",
        )
        for field in ("models", "model_ids", "model_configs")
    ),
    *(
        fault(
            f"deploy-skips-models-without-{key}",
            "robustness",
            f"A deploy passes over a model that has no {key}.",
            _without_incomplete_models(key),
            f"{_DEPLOY}.requires-models-{key}",
        )
        for key in ("name", "version", "sha")
    ),
    fault(
        "undeploy-of-nothing-succeeds",
        "robustness",
        "An undeploy that names nothing is answered as a success.",
        _undeploys_nothing,
        "pipelines.undeploy.requires-an-id",
    ),
    fault(
        "undeploy-of-text-ids-succeeds",
        "robustness",
        "An undeploy whose ids are no integers is answered as a success.",
        _undeploys_any_type,
        "pipelines.undeploy.takes-ids-as-integers-only",
    ),
    *(
        fault(
            f"list-versions-ignores-odd-{field.replace('_', '-')}",
            "robustness",
            f"A list of versions by a {field} of another type is empty, and no refusal.",
            {"models.list-versions": _filtering_by(field, kind)},
            f"models.list-versions.takes-{field.replace('_', '-')}-as-{form}-only",
        )
        for field, kind, form in (("model_id", str, "a-text"), ("models_pk_id", int, "an-integer"))
    ),
)
