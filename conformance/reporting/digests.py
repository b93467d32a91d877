"""What a verdict was reached by, as SHA-256 digests: two results of the same three were judged alike."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import conformance
from conformance.spec.document import BASE_PROFILE, Document, profiles
from conformance.spec.requirements import load


@cache
def digests_of(profile: str) -> dict[str, str]:
    """`spec`: the composed description; `catalogue`: its requirements; `suite`: the sources of this package."""
    known = profile if profile in profiles() else BASE_PROFILE
    rows = [
        [row.id, row.text, row.level, row.basis, row.check, {name: str(note) for name, note in row.notes.items()}]
        for row in load(known).rows
    ]
    return {"spec": _of(Document.load(known).raw), "catalogue": _of(rows), "suite": _of_sources()}


def _of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _of_sources() -> str:
    root = Path(conformance.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()
