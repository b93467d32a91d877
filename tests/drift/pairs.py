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
