"""Models: upload and list versions."""

from __future__ import annotations

import uuid

from conformance.emulator import fields
from conformance.emulator.engine import ModelRefusedError
from conformance.emulator.uploads import Upload, read_upload
from conformance.emulator.wire import Answer, Call, RefusalError, answered, bad_request
from conformance.emulator.world import World


async def upload_and_convert(call: Call, world: World) -> Answer:
    """Store a model's bytes as a new version of `name`. Answers 202 with the *version's* id (recorded).

    Recorded: an unknown workspace is a 500. Decided: ONNX that does not load is refused at once; other frameworks,
    which nothing here executes, end in status `error` as a failed conversion does.
    """
    upload = await read_upload(call, world.settings)
    if world.store.one("SELECT 1 FROM workspace WHERE id = ?", upload.workspace_id) is None:
        raise RefusalError(500, "Internal Server Error: the workspace of the model does not exist.")
    sha = world.store.keep_model(upload.content)
    if upload.framework == "onnx":
        try:
            await world.engine.inspect(sha)
        except ModelRefusedError as refused:
            world.store.forget_model(sha)
            raise bad_request(f"the file is not an ONNX model this instance can run: {refused}") from None
    version_id = _add_version(world, call.user, upload, sha)
    return answered({"insert_models": {"returning": [{"models": [{"id": version_id}]}]}}, 202)


def _add_version(world: World, owner: str, upload: Upload, sha: str) -> int:
    store = world.store
    with store.transaction():
        query = "SELECT id FROM model WHERE workspace_id = ? AND name = ?"
        row = store.one(query, upload.workspace_id, upload.name)
        model_id = row["id"] if row else store.add("model", workspace_id=upload.workspace_id, name=upload.name)
        return store.add(
            "model_version",
            model_id=model_id,
            version=str(uuid.uuid4()),
            sha=sha,
            file_name=upload.file_name,
            owner_id=owner,
            status="ready" if upload.framework == "onnx" else "error",
        )


async def list_versions(call: Call, world: World) -> Answer:
    """Versions whose model has the name *or* the id asked for (recorded: the filters are joined by OR).

    Without a filter all are listed (decided).
    """
    body = fields.json_object(call)
    name, model_id = fields.optional_text(body, "model_id"), fields.optional_integer(body, "models_pk_id")
    rows = world.store.all(
        """SELECT v.*, m.name AS name FROM model_version v JOIN model m ON m.id = v.model_id
           WHERE (? IS NULL AND ? IS NULL) OR m.name = ? OR m.id = ? ORDER BY v.id""",
        name,
        model_id,
        name,
        model_id,
    )
    return answered(
        [
            {
                "sha": row["sha"],
                "models_pk_id": row["model_id"],
                "model_version": row["version"],
                "owner_id": row["owner_id"],
                "model_id": row["name"],
                "id": row["id"],
                "file_name": row["file_name"],
                "image_path": None,
                "status": row["status"],
            }
            for row in rows
        ]
    )
