"""A pipeline's definition: free-form, but for steps that name models."""

from __future__ import annotations

from typing import Any

from conformance.emulator import fields
from conformance.emulator.wire import bad_request

MODEL_STEP = "ModelInference"


def checked(definition: fields.Body) -> fields.Body:
    """The definition, once its steps, if it has any, are in the documented shape."""
    for step in _steps(definition):
        if not isinstance(step, dict):
            raise bad_request("definition.steps must be a list of objects.")
        if MODEL_STEP in step:
            for model in _models(fields.mapping(step, MODEL_STEP)):
                for name in ("name", "version", "sha"):
                    fields.text(model, name)
    return definition


def models(definition: fields.Body) -> list[fields.Body]:
    """The first model of each step, in order: name, version and sha.

    Refuses, at deployment, a definition with a step of another kind, which this instance cannot run (decided).
    """
    found = []
    for step in _steps(definition):
        named = _models(step[MODEL_STEP]) if MODEL_STEP in step else []
        if not named:
            raise bad_request("the pipeline has a step that is no ModelInference step with a model.")
        found.append(named[0])
    return found


def _steps(definition: fields.Body) -> list[Any]:
    return fields.list_of(definition, "steps") if "steps" in definition else []


def _models(step: fields.Body) -> list[fields.Body]:
    named = fields.list_of(step, "models")
    if not all(isinstance(model, dict) for model in named):
        raise bad_request("models must be a list of objects with name, version and sha.")
    return named
