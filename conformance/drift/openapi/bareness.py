"""A description without what a generated client cannot speak of, so that its silence is not taken for a change."""

from __future__ import annotations

from typing import Any

from conformance.drift.openapi.dialect import modern
from conformance.drift.schema.references import walk

_UNSAID = frozenset(
    {
        "summary",
        "description",
        "tags",
        "externalDocs",
        "links",
        "headers",
        "encoding",
        "examples",
        "example",
        "contentSchema",
    }
    | {"minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "minProperties", "maxProperties"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
"""Members the generator leaves no trace of in its client (openapi-python-client: models, functions, their types)."""

_UNREAD = ("*/*", "text/plain")
"""Media types of answers its functions read nothing from."""


def bare(document: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A copy without what a generated client does not say; servers and security, which it has none of, are the other's
    where only the other has them."""
    copy = modern(document)
    for pointer, node in walk(copy):
        for word in [word for word in node if word in _UNSAID or word.startswith("x-")]:
            del node[word]
        if "/responses/" in pointer and isinstance(node.get("content"), dict):
            node["content"] = {name: media for name, media in node["content"].items() if name not in _UNREAD}
        for word in ("responses",):
            if isinstance(node.get(word), dict):
                node[word] = {status: one for status, one in node[word].items() if not str(status).endswith("XX")}
    copy["info"] = {"title": "", "version": ""}
    for word in ("servers", "security"):
        if word not in copy and word in other:
            copy[word] = other[word]
    schemes = other.get("components", {}).get("securitySchemes")
    if schemes:
        copy.setdefault("components", {}).setdefault("securitySchemes", schemes)
    return copy
