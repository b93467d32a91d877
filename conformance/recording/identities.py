"""Identity and time set aside: where in requests and answers ids and moments stand, and which id stands for which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from conformance.model import Request

_API = "/v1/api/"
_MODELS = {"name": "", "version": "model version", "sha": "sha"}
_DEFINITION = {f"$.definition.steps[].ModelInference.models[].{name}": kind for name, kind in _MODELS.items() if kind}

QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "pipelines.create": {"$.workspace_id": "workspace", **_DEFINITION},
    "pipelines.deploy": {
        "$.pipeline_id": "pipeline",
        "$.pipeline_version_pk_id": "pipeline version",
        "$.models[].version": "model version",
        "$.models[].sha": "sha",
        "$.model_ids[]": "model",
    },
    "pipelines.undeploy": {"$.pipeline_id": "pipeline", "$.deployment_id": "deployment"},
    "pipelines.copy": {
        "$.workspace_id": "workspace",
        "$.source_pipeline": "pipeline",
        "$.pipeline_version": "pipeline version uuid",
    },
    "status.get-deployment": {"$.name": "deployment name"},
    "admin.get-pipeline-external-url": {"$.workspace_id": "workspace"},
    "models.upload-and-convert": {"$.metadata.workspace_id": "workspace"},
    "models.list-versions": {"$.models_pk_id": "model"},
}
"""The kind of identity at each place of a request's body, by operation."""

_PODS = ("engines", "engine_lbs", "sidekicks")
ANSWERS: Mapping[str, Mapping[str, str]] = {
    "pipelines.create": {
        "$.pipeline_pk_id": "pipeline",
        "$.pipeline_variant_pk_id": "pipeline version",
        "$.pipeline_variant_version": "pipeline version uuid",
    },
    "pipelines.deploy": {"$.id": "deployment"},
    "pipelines.copy": {
        "$.pipeline_pk_id": "pipeline",
        "$.pipeline_variant_pk_id": "pipeline version",
        "$.pipeline_version": "pipeline version uuid",
        "$.deployment.id": "deployment",
    },
    "status.get-deployment": {
        **{f"$.{group}[].{name}": name for group in _PODS for name in ("name", "ip")},
        "$.engines[].model_statuses.models[].version": "model version",
        "$.engines[].model_statuses.models[].sha": "sha",
    },
    "admin.get-pipeline-external-url": {"$.url": "url"},
    "pipelines.infer": {
        "$[].metadata.partition": "name",
        "$[].metadata.last_model.model_sha": "sha",
        "$[].metadata.pipeline_version": "pipeline version uuid",
    },
    "models.upload-and-convert": {"$.insert_models.returning[].models[].id": "model version pk"},
    "models.list-versions": {
        "$[].id": "model version pk",
        "$[].models_pk_id": "model",
        "$[].model_version": "model version",
        "$[].sha": "sha",
        "$[].owner_id": "owner",
    },
    "workspaces.create": {"$.workspace_id": "workspace"},
    "workspaces.list": {"$.workspaces[].id": "workspace", "$.workspaces[].created_by": "owner"},
}
"""The kind of identity at each place of an answer's body, by operation."""

TIMES: Mapping[str, frozenset[str]] = {
    "pipelines.infer": frozenset({"$[].time", "$[].metadata.elapsed[]"}),
    "workspaces.list": frozenset({"$.workspaces[].created_at"}),
}
"""Places that hold moments and durations: their values are never compared."""

_DEPLOYMENT = re.compile(r"(.+)-(\d+)")


class ContradictionError(ValueError):
    """An id that stood for one thing now stands for another; the text says which."""


@dataclass(frozen=True)
class Identities:
    """Which id of the one side is which of the other, one to one, by kind. A value: learning makes a new one."""

    there: Mapping[tuple[str, Any], Any] = field(default_factory=dict)
    here: Mapping[tuple[str, Any], Any] = field(default_factory=dict)

    def learn(self, kind: str, one: Any, other: Any) -> Identities:
        """Take `one` for `other`. Raises ContradictionError where either was taken for something else."""
        if kind == "deployment name":
            return self._learn_name(one, other)
        if kind == "url":
            return self._learn_url(one, other)
        known, back = self.there.get((kind, one), other), self.here.get((kind, other), one)
        if known != other:
            raise ContradictionError(f"{kind} {one} was {known} before, and is {other} now")
        if back != one:
            raise ContradictionError(f"{kind} {other} stood for {back} before, and stands for {one} now")
        return replace(self, there={**self.there, (kind, one): other}, here={**self.here, (kind, other): one})

    def _learn_name(self, one: Any, other: Any) -> Identities:
        ours, theirs = _DEPLOYMENT.fullmatch(str(one)), _DEPLOYMENT.fullmatch(str(other))
        if ours is None or theirs is None or ours[1] != theirs[1]:
            raise ContradictionError(f"the deployment's name is {other}, not like {one}")
        return self.learn("deployment", int(ours[2]), int(theirs[2]))

    def _learn_url(self, one: Any, other: Any) -> Identities:
        ours, theirs = urlsplit(str(one)).path.split("/"), urlsplit(str(other)).path.split("/")
        if len(ours) != len(theirs):
            raise ContradictionError(f"the URL's path is {'/'.join(theirs)}, not like {'/'.join(ours)}")
        learned = self
        for here, there in zip(map(unquote, ours), map(unquote, theirs), strict=True):
            if here != there:
                learned = learned._learn_name(here, there)
        return learned

    def mapped(self, kind: str, one: Any) -> Any:
        """The other side's id for one of ours; ours itself where nothing was learned of it."""
        if kind == "deployment name" and (match := _DEPLOYMENT.fullmatch(str(one))):
            return f"{match[1]}-{self.mapped('deployment', int(match[2]))}"
        return self.there.get((kind, one), one)


def paired(one: Any, other: Any, where: str = "$") -> Iterator[tuple[str, Any, Any]]:
    """The leaves that two JSON values have in common, with their place; array positions are `[]`."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one:
            if name in other:
                yield from paired(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        for here, there in zip(one, other, strict=False):
            yield from paired(here, there, f"{where}[]")
    elif not isinstance(one, dict | list) and not isinstance(other, dict | list):
        yield where, one, other


def translated(operation: str, question: Any, identities: Identities) -> Any:
    """A request's JSON with our ids replaced by the other side's."""
    return _translated(question, "$", QUESTIONS.get(operation, {}), identities)


def _translated(value: Any, where: str, kinds: Mapping[str, str], identities: Identities) -> Any:
    if isinstance(value, dict):
        return {name: _translated(item, f"{where}.{name}", kinds, identities) for name, item in value.items()}
    if isinstance(value, list):
        return [_translated(item, f"{where}[]", kinds, identities) for item in value]
    return identities.mapped(kinds[where], value) if where in kinds and value is not None else value


def readdressed(request: Request, base: str, identities: Identities) -> Request:
    """A request sent to another instance: its base URL, and the deployment named in an inference's path mapped."""
    parts = urlsplit(request.url)
    segments = parts.path.split("/")
    if "infer" in segments[:-1]:
        place = segments.index("infer") + 1
        segments[place] = quote(identities.mapped("deployment name", unquote(segments[place])), safe="")
    there, path = urlsplit(base), "/".join(segments)
    path = there.path.rstrip("/") + path[max(0, path.find(_API)) :]
    return replace(request, url=urlunsplit((there.scheme, there.netloc, path, parts.query, "")))
