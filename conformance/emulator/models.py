"""Models: upload, and list versions."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from conformance.emulator import fields
from conformance.emulator.engine import ModelRefusedError
from conformance.emulator.settings import Profile, Settings
from conformance.emulator.state import State
from conformance.emulator.wire import Answer, Call, RefusalError, answered, bad_request

_HUGGING_FACE = (
    "automatic-speech-recognition",
    "feature-extraction",
    "image-classification",
    "image-segmentation",
    "image-to-text",
    "object-detection",
    "question-answering",
    "sentiment-analysis",
    "stable-diffusion-text-2-img",
    "summarization",
    "text-classification",
    "text-generation",
    "translation",
    "zero-shot-classification",
    "zero-shot-image-classification",
    "zero-shot-object-detection",
)

FRAMEWORKS = frozenset(
    ("custom", "keras", "mlflow", "onnx", "python", "pytorch", "sklearn", "tensorflow", "xgboost")
) | {f"hugging-face-{task}" for task in _HUGGING_FACE}
"""The frameworks that the vendor's client of 2023.4.1 knows. Only `onnx` is executed here."""

_PARTS = 8


@dataclass(frozen=True)
class Upload:
    """What was uploaded: the bytes, the name the client gave the file, and what its metadata says."""

    name: str
    workspace_id: int
    framework: str
    content: bytes
    file_name: str
    visibility: str
    conversion: fields.Body


async def read_upload(call: Call, settings: Settings) -> Upload:
    """The call's form. Refuses another media type (415), and what lacks a part or a field (400)."""
    if call.media_type != "multipart/form-data":
        raise RefusalError(415, "Unsupported media type: this operation takes multipart/form-data.")
    metadata, content, file_name = await _parts(call, settings)
    _check_shape(metadata, settings.profile)
    endings = settings.profile.known_extensions
    if endings and not file_name.endswith(endings):
        *others, last = endings
        raise bad_request(f"The provided file needs to be a {', '.join(others)}, or {last} file.")  # recorded
    return Upload(
        name=fields.new_name(metadata, "name", settings.limits.name_characters),
        workspace_id=fields.integer(metadata, "workspace_id"),
        framework=_framework(metadata, settings.profile),
        content=content,
        file_name=file_name,
        visibility=fields.text(metadata, "visibility"),
        conversion=fields.mapping(metadata, "conversion"),
    )


async def _parts(call: Call, settings: Settings) -> tuple[fields.Body, bytes, str]:
    """Metadata as JSON, the file's bytes and its name."""
    parser = MultiPartParser(Headers(call.headers), _once(call.body), max_files=_PARTS, max_fields=_PARTS)
    parser.spool_max_size = settings.limits.upload_bytes
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


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _metadata(raw: str | bytes | None) -> fields.Body:
    try:
        value: Any = orjson.loads(raw or b"")
    except ValueError:
        raise bad_request("the form must have a part named metadata that is JSON.") from None
    if not isinstance(value, dict):
        raise bad_request("metadata must be a JSON object.")
    return value


def _check_shape(metadata: fields.Body, profile: Profile) -> None:
    fields.text(metadata, "visibility")
    for name in ("image_path", "input_schema", "output_schema", "registry_id"):
        fields.optional_text(metadata, name)
    if profile.registry_uuid and not _is_uuid(metadata.get("registry_id")):
        raise bad_request("registry_id must be a UUID.")
    conversion = fields.mapping(metadata, "conversion")
    if profile.accelerators:
        _check_acceleration(conversion, profile)
    requirements = fields.optional_list(conversion, "requirements")
    if conversion.get("requirements") is None or not all(isinstance(item, str) for item in requirements):
        raise bad_request("conversion.requirements must be a list of strings.")
    if "python_version" in conversion and fields.text(conversion, "python_version") not in ("3.8", "3.9"):
        raise bad_request("conversion.python_version must be 3.8 or 3.9.")
    if fields.optional_text(conversion, "arch") not in (None, *profile.architectures):
        raise bad_request(f"conversion.arch must be one of {', '.join(profile.architectures)}.")


def _is_uuid(text: str | None) -> bool:
    try:
        return text is None or str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _check_acceleration(conversion: fields.Body, profile: Profile) -> None:
    accel = conversion.get("accel")
    settings = accel.get("qaic") if isinstance(accel, dict) and profile.accelerator_settings else None
    if accel is not None and accel not in profile.accelerators and not isinstance(settings, dict):
        raise bad_request(f"conversion.accel must be one of {', '.join(profile.accelerators)}, or known settings.")
    fields.optional_mapping(conversion, "framework_config")


def _framework(metadata: fields.Body, profile: Profile) -> str:
    framework = fields.text(fields.mapping(metadata, "conversion"), "framework")
    if framework not in FRAMEWORKS and framework not in profile.more_frameworks:
        raise bad_request("conversion.framework is not a known framework.")
    return framework


async def upload_and_convert(call: Call, state: State) -> Answer:
    """Store a model's bytes as a new version of `name`. Answers 202 with the *version's* id (recorded).

    Recorded: an unknown workspace is a 500. Decided: ONNX that does not load is refused at once; other frameworks,
    which nothing here executes, end in status `error` as a failed conversion does.
    """
    form = await read_upload(call, state.settings)
    if state.store.one("SELECT 1 FROM workspace WHERE id = ?", form.workspace_id) is None:
        raise RefusalError(500, "Internal Server Error: the workspace of the model does not exist.")
    sha = state.store.keep_model(form.content)
    if form.framework == "onnx":
        try:
            await state.engine.inspect(sha)
        except ModelRefusedError as refused:
            state.store.forget_model(sha)
            raise bad_request(f"the file is not an ONNX model this instance can run: {refused}") from None
    version_id = _add_version(state, call.user, form, sha)
    return answered({"insert_models": {"returning": [{"models": [{"id": version_id}]}]}}, 202)


async def upload(call: Call, state: State) -> Answer:
    """The same for a model that needs no conversion, answered by 200 (the vendor's client of 2023.4.1)."""
    return replace(await upload_and_convert(call, state), status=200)


def _add_version(state: State, owner: str, form: Upload, sha: str) -> int:
    store = state.store
    with store.transaction():
        query = "SELECT id FROM model WHERE workspace_id = ? AND name = ?"
        row = store.one(query, form.workspace_id, form.name)
        model_id = row["id"] if row else store.add("model", workspace_id=form.workspace_id, name=form.name)
        return store.add(
            "model_version",
            model_id=model_id,
            version=str(uuid.uuid4()),
            sha=sha,
            file_name=form.file_name,
            owner_id=owner,
            status="ready" if form.framework == "onnx" else "error",
            visibility=form.visibility,
            conversion=orjson.dumps(form.conversion).decode(),
        )


async def list_versions(call: Call, state: State) -> Answer:
    """Versions whose model has the name *or* the id asked for (recorded: the filters are joined by OR).

    Without a filter all are listed (decided).
    """
    body = fields.json_object(call)
    name, model_id = fields.optional_text(body, "model_id"), fields.optional_integer(body, "models_pk_id")
    rows = state.store.all(
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
