"""Faults of lists: versions and workspaces that are not as they were made."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import Any

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, asking, question, succeeding, with_json
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Around, Step, World

KIND = "relations"
_VERSIONS, _WORKSPACES = "models.list-versions", "workspaces.list"


def _other(sha: str) -> str:
    return hashlib.sha256(sha.encode()).hexdigest()


def _another_sha_but_for_the_first(found: Any) -> Any:
    """The first of each name keeps its own, since clients deploy by the sha that is listed."""
    first = {each["models_pk_id"]: each["id"] for each in sorted(found, key=lambda each: -each["id"])}
    return [
        each if each["id"] == first[each["models_pk_id"]] else each | {"sha": _other(each["sha"])} for each in found
    ]


async def _known_by_the_other_sha(call: Call, proceed: Step, world: World) -> Answer:
    """Who names a model by the sha that was listed means the model that was listed."""
    body = call.body.decode("utf-8", "replace")
    for row in world.store.all("SELECT DISTINCT sha FROM model_version"):
        body = body.replace(_other(row["sha"]), row["sha"])
    return await proceed(replace(call, body=body.encode()))


def _is_later(world: World, version: str) -> bool:
    """Whether a version is not the first of its model."""
    query = """SELECT 1 FROM model_version v JOIN model_version earlier ON earlier.model_id = v.model_id
        AND earlier.id < v.id WHERE v.version = ?"""
    return world.store.one(query, version) is not None


async def _shown_by_the_other_sha(call: Call, proceed: Step, world: World) -> Answer:
    """Status and inference show the sha by which a version is listed."""
    answer = await proceed(call)
    name = call.parameters.get("deployment") or question(call).get("name")
    deployment = by_name(world, name) if answer.status == 200 and isinstance(name, str) else None
    body = answer.body
    for model in deployment.models if deployment else ():
        if _is_later(world, model.version):
            body = body.replace(model.sha.encode(), _other(model.sha).encode())
    return replace(answer, body=body)


def _listing(alter: Any) -> dict[str, Around]:
    """Advice on listed versions, for a list that has any."""
    return {_VERSIONS: succeeding(lambda found: alter(found) if found else found)}


async def _unrelated_version(call: Call, proceed: Step, world: World) -> Answer:
    """Versions of a name that merely begins like the one asked for, or of none, are listed with it."""
    answer = await proceed(call)
    if answer.status != 200 or not answer.json:
        return answer
    more = answer.json[0] | {"id": 999_999, "model_id": "unrelated", "models_pk_id": 999_999}
    return with_json(answer, [*answer.json, more | {"model_version": str(uuid.uuid4())}])


async def _all_for_an_unknown_name(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    if answer.status != 200 or answer.json:
        return answer
    return await proceed(asking(call, {}))


def _without_newest(found: Any) -> Any:
    newest = max(each["id"] for each in found)
    return [each for each in found if each["id"] != newest]


def _model_keys_apart(found: Any) -> Any:
    return [each | {"models_pk_id": each["models_pk_id"] + index} for index, each in enumerate(found)]


async def _workspaces_without_new(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    return with_json(answer, {"workspaces": answer.json["workspaces"][:1]})


def _workspaces_poured_together(body: Any) -> Any:
    every = sorted({pipeline for each in body["workspaces"] for pipeline in each["pipelines"]})
    return {"workspaces": [each | {"pipelines": every} for each in body["workspaces"]]}


def _workspaces_emptied(body: Any) -> Any:
    return {"workspaces": [each | {"models": [], "pipelines": []} for each in body["workspaces"]]}


def _listed(fault_id: str, slug: str, sentence: str, alter: Any) -> Fault:
    return Fault(fault_id, (f"{_VERSIONS}.{slug}",), KIND, sentence, _listing(alter))


FAULTS = (
    Fault(
        "versions-another-sha",
        (f"{_VERSIONS}.sha-is-of-the-uploaded-bytes",),
        KIND,
        "Every version after a model's first is listed with the SHA-256 of something else, and known by it.",
        {
            **_listing(_another_sha_but_for_the_first),
            "pipelines.create": _known_by_the_other_sha,
            "pipelines.deploy": _known_by_the_other_sha,
            "status.get-deployment": _shown_by_the_other_sha,
            "pipelines.infer": _shown_by_the_other_sha,
        },
    ),
    _listed("versions-without-newest", "lists-what-was-uploaded", "The newest version is not listed.", _without_newest),
    _listed("versions-twice", "lists-each-version-once", "Each version is listed twice.", lambda found: found * 2),
    _listed(
        "versions-of-several-models",
        "versions-of-a-name-share-their-model",
        "Each version of a name has a models_pk_id of its own.",
        _model_keys_apart,
    ),
    _listed(
        "versions-share-a-uuid",
        "each-version-has-its-own-uuid",
        "All listed versions have one model_version.",
        lambda found: [each | {"model_version": found[0]["model_version"]} for each in found],
    ),
    Fault(
        "versions-of-others",
        (f"{_VERSIONS}.lists-only-what-was-asked",),
        KIND,
        "A version of an unrelated model is listed too.",
        {_VERSIONS: _unrelated_version},
    ),
    Fault(
        "versions-of-an-unknown-name",
        (f"{_VERSIONS}.lists-nothing-under-an-unknown-name",),
        KIND,
        "A name that was never uploaded lists every version there is.",
        {_VERSIONS: _all_for_an_unknown_name},
    ),
    Fault(
        "workspaces-hide-the-new",
        (f"{_WORKSPACES}.lists-what-was-created",),
        KIND,
        "Only the first workspace is listed.",
        {_WORKSPACES: _workspaces_without_new},
    ),
    Fault(
        "workspaces-twice",
        (f"{_WORKSPACES}.lists-each-workspace-once",),
        KIND,
        "Each workspace is listed twice.",
        {_WORKSPACES: succeeding(lambda body: {"workspaces": body["workspaces"] * 2})},
    ),
    Fault(
        "workspaces-show-one-another",
        (f"{_WORKSPACES}.shows-nothing-of-another-workspace",),
        KIND,
        "Each listed workspace shows the pipelines of all.",
        {_WORKSPACES: succeeding(_workspaces_poured_together)},
    ),
    Fault(
        "workspaces-seem-empty",
        (f"{_WORKSPACES}.lists-what-is-in-it",),
        KIND,
        "Listed workspaces never hold a model or a pipeline.",
        {_WORKSPACES: succeeding(_workspaces_emptied)},
    ),
)
