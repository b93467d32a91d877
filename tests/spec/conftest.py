"""Exchanges to judge: those that the description's own examples make, and the tutorial's recordings where present."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.api import multipart
from conformance.data import FIXTURES
from conformance.model import Exchange, Headers, Request, Response
from conformance.recording.traffic import read
from conformance.spec.content import is_json
from conformance.spec.crosscheck import DocumentValidator
from conformance.spec.document import Document
from conformance.spec.validation import FastValidator

BASE = "https://api.example.test"


@pytest.fixture(scope="session")
def document() -> Document:
    return Document.load()


@pytest.fixture(scope="session")
def fast(document: Document) -> FastValidator:
    return FastValidator(document)


@pytest.fixture(scope="session")
def slow(document: Document) -> DocumentValidator:
    return DocumentValidator(document)


@pytest.fixture(scope="session")
def described(document: Document) -> list[Exchange]:
    """One exchange for each response example of each operation, asked by the operation's first request example."""
    return list(_described(document))


@pytest.fixture(scope="session")
def recorded() -> list[Exchange]:
    """The tutorial's recordings."""
    return [exchange for _, series in read([FIXTURES / "recordings"], Document.load()) for exchange in series]


def _described(document: Document) -> Iterator[Exchange]:
    for operation in document.operations:
        raw = document.definition(operation.id)
        request = _request(document, operation.path, raw)
        for status, response in raw["responses"].items():
            answer = document.resolved(response)
            number = int(status.replace("XX", "22"))
            for media_type, media in answer.get("content", {}).items():
                for example in _examples(document, media):
                    headers = Headers({"content-type": media_type})
                    body = json.dumps(example).encode()
                    yield Exchange(request, Response(number, headers, body), operation.id)
            if not answer.get("content") or "*/*" in answer["content"]:
                yield Exchange(request, Response(number), operation.id)


def _request(document: Document, path: str, raw: dict[str, Any]) -> Request:
    media_type, media = next(iter(raw["requestBody"]["content"].items()))
    url = BASE + path.format(deployment="api-pipeline-with-models-14", pipeline_name="api-pipeline-with-models")
    if is_json(media_type):
        body = json.dumps(next(_examples(document, media))).encode()
    else:
        metadata = document.raw["components"]["schemas"]["UploadMetadata"]["examples"][0]
        parts = [
            multipart.Part("metadata", json.dumps(metadata).encode(), "application/json"),
            multipart.Part("file", bytes(range(256)), "application/octet-stream", "ccfraud.onnx"),
        ]
        media_type, body = multipart.encode(parts)
    return Request("POST", url, Headers({"Authorization": "Bearer token", "Content-Type": media_type}), body)


def _examples(document: Document, media: dict[str, Any]) -> Iterator[Any]:
    for example in media.get("examples", {}).values():
        yield document.resolved(example)["value"]
