"""What a schema says beside which values it admits: its default, whether it is deprecated, who may send it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.drift.schema.references import Description
from conformance.drift.schema.values import ABSENT

HIDDEN = {"request": "readOnly", "response": "writeOnly"}


def own_schemas(description: Description, schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and those that describe the same value without a choice: its `$ref` and `allOf`, nearest first.

    A choice whose other side is null is none: `anyOf: [X, {type: null}]` describes X as well.
    """
    seen: set[int] = set()
    queue = [schema]
    while queue:
        node = queue.pop(0)
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node.get("$ref"), str):
            queue.append(description.resolve(node["$ref"]))
        queue.extend(node.get("allOf", ()))
        for word in ("anyOf", "oneOf"):
            branches = [branch for branch in node.get(word, ()) if branch != {"type": "null"}]
            if len(branches) == 1:
                queue.append(branches[0])


def is_hidden(description: Description, schema: Any, side: str) -> bool:
    """Whether this side of the wire leaves the property out: `readOnly` in requests, `writeOnly` in responses."""
    word = HIDDEN.get(side)
    return (
        word is not None
        and description.says(word)
        and any(node.get(word) is True for node in own_schemas(description, schema))
    )


def annotation(description: Description, schema: Any, word: str) -> Any:
    """The nearest value of an annotation (`default`, `deprecated`, `discriminator`), ABSENT where there is none."""
    return next((node[word] for node in own_schemas(description, schema) if word in node), ABSENT)
