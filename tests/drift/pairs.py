"""Reads the corpus: pairs of schemas put into small descriptions, and pairs of operations and whole descriptions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
VERDICTS = {"B": "breaking", "N": "non-breaking", "0": "none", 0: "none"}


def description(schema: Any, side: str, shared: dict[str, Any], old: bool = False) -> dict[str, Any]:
    """A description of one operation that takes, or answers, the schema as JSON."""
    body = {"content": {"application/json": {"schema": schema}}}
    operation: dict[str, Any] = {"operationId": "do", "responses": {"204": {"description": "done"}}}
    if side == "request":
        operation["requestBody"] = {**body, "required": True}
    else:
        operation["responses"] = {"200": {**body, "description": "done"}}
    return {
        "openapi": "3.0.3" if old else "3.1.0",
        "info": {"title": "Pairs", "version": "1"},
        "paths": {"/do": {"post": operation}},
        "components": {"schemas": copy.deepcopy(shared)},
    }


def schema_pairs() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Name, verdict, base and revision of each pair of schemas on each side of the wire."""
    file = yaml.safe_load((HERE / "schema-pairs.yaml").read_text(encoding="utf-8"))
    for pair in file["pairs"]:
        for side in ("request", "response"):
            base, revision = (
                description(
                    pair[which],
                    side,
                    {**file["shared"], **pair.get(f"{which}_shared", {})},
                    old=pair.get("old") in (which, "both"),
                )
                for which in ("base", "revision")
            )
            yield f"{pair['name']} ({side})", VERDICTS[pair[side]], base, revision


def document_pairs() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any], list[str] | None]]:
    """Name, verdict, base, revision and the expected changes (None: not stated) of each pair of descriptions."""
    file = yaml.safe_load((HERE / "document-pairs.yaml").read_text(encoding="utf-8"))
    for pair in file["pairs"]:
        base, revision = (edited(file["document"], pair.get(which, {})) for which in ("base", "revision"))
        yield pair["name"], VERDICTS[pair["verdict"]], base, revision, pair.get("changes")


def edited(document: dict[str, Any], edits: dict[str, Any]) -> dict[str, Any]:
    """A copy with each pointer's value put in its place; `-` takes it away."""
    whole = copy.deepcopy(document)
    for pointer, value in edits.items():
        *way, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        node: Any = whole
        for token in way:
            node = node[int(token)] if isinstance(node, list) else node.setdefault(token, {})
        if value == "-":
            del node[int(last) if isinstance(node, list) else last]
        elif isinstance(node, list) and int(last) == len(node):
            node.append(copy.deepcopy(value))
        else:
            node[int(last) if isinstance(node, list) else last] = copy.deepcopy(value)
    return whole


def reported_pairs() -> Iterator[tuple[str, str, str | None, dict[str, Any], dict[str, Any]]]:
    """Name, verdict, location of the change (None: not stated), base and revision of each pair users reported."""
    file = yaml.safe_load((HERE / "reported-pairs.yaml").read_text(encoding="utf-8"))
    for pair in file["pairs"]:
        versions = pair.get("openapi", ["3.0.3", "3.0.3"])
        sides = []
        for which, version in zip(("base", "revision"), versions, strict=True):
            parts = {**pair.get("both", {}), **pair[which]}
            sides.append(_whole(parts, version))
        yield pair["name"], VERDICTS[pair["verdict"]], pair.get("at"), *sides


def _whole(parts: dict[str, Any], version: str) -> dict[str, Any]:
    """A description of one operation: `query` (a parameter), `body` and `answer` (schemas), `form` (a media type).

    `operation` and `root` are members of the operation and of the document as they are.
    """
    operation: dict[str, Any] = {"operationId": "do", "responses": {"200": {"description": "done"}}}
    if "query" in parts:
        operation["parameters"] = [{"name": "q", "in": "query", **parts["query"]}]
    if "body" in parts:
        media = parts.get("media", "application/json")
        operation["requestBody"] = {"required": True, "content": {media: {"schema": parts["body"]}}}
    if "form" in parts:
        media = parts.get("media", "multipart/form-data")
        operation["requestBody"] = {"required": True, "content": {media: parts["form"]}}
    if "answer" in parts:
        media = parts.get("media", "application/json")
        operation["responses"]["200"]["content"] = {media: {"schema": parts["answer"]}}
    operation.update(parts.get("operation", {}))
    whole: dict[str, Any] = {"openapi": version, "info": {"title": "Reported", "version": "1"}}
    whole.update(parts.get("root", {}))
    whole["paths"] = parts.get("paths", {"/do": {"post": operation}})
    if "schemas" in parts:
        whole["components"] = {**whole.get("components", {}), "schemas": parts["schemas"]}
    if "servers" in parts:
        whole["servers"] = parts["servers"]
    return copy.deepcopy(whole)


def causes() -> Iterator[tuple[str, str, list[str], dict[str, Any], dict[str, Any]]]:
    """Name, side, all the changes, base and revision of each pair in which several things changed at once."""
    file = yaml.safe_load((HERE / "reported-pairs.yaml").read_text(encoding="utf-8"))
    for pair in file["causes"]:
        for side in ("request", "response"):
            base, revision = (description(pair[which], side, {}) for which in ("base", "revision"))
            yield f"{pair['name']} ({side})", side, pair[side], base, revision
