"""How long two large descriptions take to compare: `python -m tests.benchmarks.drift [operations…]`.

Three pairs of each size: the same description, one in which a tenth of the operations changed, and one in which a third
of the operations and half of the components did. Figures are CPU seconds.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from conformance.drift.compare import compare
from conformance.drift.openapi.document import load

Node = dict[str, Any]


def described(operations: int) -> Node:
    """A description whose components refer to each other in rings of five."""
    parts = operations // 4
    schemas = {
        f"S{i}": {
            "type": "object",
            "required": ["id", "name"],
            "properties": {
                "id": {"type": "integer", "format": "int64"},
                "name": {"type": "string", "minLength": 1, "description": "The name of it."},
                "tags": {"type": "array", "items": {"type": "string"}},
                "status": {"type": "string", "enum": ["a", "b", "c"]},
                "next": {"$ref": f"#/components/schemas/S{(i // 5) * 5 + (i + 1) % 5}"},
            },
        }
        for i in range(parts)
    }
    paths = {f"/things{i}/{{id}}": {"post": _operation(i, parts)} for i in range(operations)}
    info = {"title": "Large", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _operation(i: int, parts: int) -> Node:
    def json_of(schema: Node) -> Node:
        return {"application/json": {"schema": schema}}

    error = {
        "type": "object",
        "required": ["msg", "code"],
        "properties": {"msg": {"type": "string"}, "code": {"type": "integer"}},
    }
    answer = {"type": "array", "items": {"$ref": f"#/components/schemas/S{(i * 7) % parts}"}}
    return {
        "operationId": f"op{i}",
        "summary": "Do a thing",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 100}},
        ],
        "requestBody": {"required": True, "content": json_of({"$ref": f"#/components/schemas/S{i % parts}"})},
        "responses": {
            "200": {"description": "ok", "content": json_of(answer)},
            "400": {"description": "bad", "content": json_of(error)},
        },
    }


def changed(description: Node, every: int, components: bool) -> Node:
    """One operation in `every` takes a lower limit; with `components`, every second component has one more value."""
    other = copy.deepcopy(description)
    for i, item in enumerate(other["paths"].values()):
        if i % every == 0:
            item["post"]["parameters"][1]["schema"]["maximum"] = 50
    for i, schema in enumerate(other["components"]["schemas"].values()):
        if components and i % 2:
            schema["properties"]["status"]["enum"].append("d")
    return other


def main(sizes: list[int]) -> None:
    for size in sizes:
        base = described(size)
        pairs = {"same": base, "a tenth": changed(base, 10, False), "a third and components": changed(base, 3, True)}
        for name, revision in pairs.items():
            for suffix, write in ((".json", json.dumps), (".yaml", yaml.safe_dump)):
                print(f"{size:>6} operations, {name:<24}{suffix}: {_measured(base, revision, suffix, write)}")


def _measured(base: Node, revision: Node, suffix: str, write: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}{suffix}") for name in ("base", "revision")]
        for path, description in zip(paths, (base, revision), strict=True):
            path.write_text(write(description), encoding="utf-8")
        began = time.process_time()
        loaded = [load(path) for path in paths]
        read = time.process_time()
        found = compare(*loaded)
        ended = time.process_time()
    return f"read {read - began:5.2f} s, compared {ended - read:5.2f} s, {found.verdict}, {len(found.changes)} changes"


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [250, 500, 1000, 2000])
