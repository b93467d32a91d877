"""Models: upload and list versions."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from conformance.emulator import fields
from conformance.emulator.engine import ModelRefused
from conformance.emulator.wire import Answer, Call, Refusal, answered, bad_request
from conformance.emulator.world import World

FRAMEWORKS = frozenset(
    [
        "custom",
        "hugging-face-automatic-speech-recognition",
        "hugging-face-feature-extraction",
        "hugging-face-image-classification",
        "hugging-face-image-segmentation",
        "hugging-face-image-to-text",
        "hugging-face-object-detection",
        "hugging-face-question-answering",
        "hugging-face-sentiment-analysis",
        "hugging-face-stable-diffusion-text-2-img",
        "hugging-face-summarization",
        "hugging-face-text-classification",
        "hugging-face-text-generation",
        "hugging-face-translation",
        "hugging-face-zero-shot-classification",
        "hugging-face-zero-shot-image-classification",
        "hugging-face-zero-shot-object-detection",
        "keras",
        "mlflow",
        "onnx",
        "python",
        "pytorch",
        "sklearn",
        "tensorflow",
        "xgboost",
    ]
)
"""The frameworks the 2023.4.1 client knows. Only `onnx` is executed here; the others end in status `error`."""

_PARTS = 8


async def upload_and_convert(call: Call, world: World) -> Answer:
    """Store a model's bytes as a new version of `name`. Answers 202 with the *version's* id (recorded)."""
    metadata, content, file_name = await _parts(call, world)
    name, workspace_id, framework = _described(metadata, world)
    endings = world.settings.profile.known_extensions
    if endings and not file_name.endswith(endings):
        raise bad_request(f"the file's name must end in one of {', '.join(endings)}.")
    if world.store.one("SELECT 1 FROM workspace WHERE id = ?", workspace_id) is None:
        raise Refusal(500, "Internal Server Error: the workspace of the model does not exist.")
    sha = world.store.keep_model(content)
    status = "ready" if framework == "onnx" else "error"
    if framework == "onnx":
        try:
            await world.engine.inspect(sha)
        except ModelRefused as refused:
            world.store.forget_model(sha)
            raise bad_request(f"the file is not an ONNX model this instance can run: {refused}") from None
    version_id = _add_version(world, call, workspace_id, name, sha, file_name, status)
    return answered({"insert_models": {"returning": [{"models": [{"id": version_id}]}]}}, 202)


def _add_version(world: World, call: Call, workspace_id: int, name: str, sha: str, file_name: str, status: str) -> int:
    store = world.store
    with store.transaction():
        row = store.one("SELECT id FROM model WHERE workspace_id = ? AND name = ?", workspace_id, name)
        model_id = row["id"] if row else store.add("model", workspace_id=workspace_id, name=name)
        return store.add(
            "model_version",
            model_id=model_id,
            version=str(uuid.uuid4()),
            sha=sha,
            file_name=file_name,
            owner_id=call.user,
            status=status,
        )


async def _parts(call: Call, world: World) -> tuple[fields.Body, bytes, str]:
    """The two parts of the form: metadata as JSON, and the file with its name."""
    if call.media_type != "multipart/form-data":
        raise Refusal(415, "Unsupported media type: this operation takes multipart/form-data.")
    parser = MultiPartParser(Headers(call.headers), _once(call.body), max_files=_PARTS, max_fields=_PARTS)
    parser.spool_max_size = world.settings.limits.upload_bytes
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError):
        raise bad_request("the body is not a valid multipart form.") from None
    try:
        metadata, file = form.get("metadata"), form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_request("the form must have a part named file, with a file name.")
        described = await metadata.read() if isinstance(metadata, UploadFile) else metadata
        return _metadata(described), await file.read(), file.filename or ""
    finally:
        await form.close()


def _metadata(raw: str | bytes | None) -> fields.Body:
    try:
        value: Any = orjson.loads(raw or b"")
    except ValueError:
        raise bad_request("the form must have a part named metadata that is JSON.") from None
    if not isinstance(value, dict):
        raise bad_request("metadata must be a JSON object.")
    return value


def _described(metadata: fields.Body, world: World) -> tuple[str, int, str]:
    """Name, workspace id and framework, once everything required is there in the right shape."""
    name = fields.new_name(metadata, "name", world.settings.limits.name_characters)
    fields.text(metadata, "visibility")
    conversion = fields.optional_mapping(metadata, "conversion")
    if conversion is None:
        raise bad_request("metadata.conversion must be an object.")
    framework = fields.text(conversion, "framework")
    if framework not in FRAMEWORKS:
        raise bad_request("metadata.conversion.framework is not a known framework.")
    if conversion.get("requirements") is None:
        raise bad_request("metadata.conversion.requirements must be a list.")
    if not all(isinstance(item, str) for item in fields.optional_list(conversion, "requirements")):
        raise bad_request("metadata.conversion.requirements must be a list of strings.")
    for key, known in (("python_version", ("3.8", "3.9")), ("arch", ("arm", "x86", "power10"))):
        value = fields.optional_text(conversion, key)
        if value is not None and value not in known:
            raise bad_request(f"metadata.conversion.{key} must be one of {', '.join(known)}.")
    return name, fields.integer(metadata, "workspace_id"), framework


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


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
