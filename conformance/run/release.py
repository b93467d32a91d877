"""Whether an instance speaks of another release than it is judged as: by its description, or by its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from conformance.drift.sources.collection import Source, comparison_of, release_source
from conformance.errors import UsageError
from conformance.spec.document import Document, profiles
from conformance.spec.requirements import load

_FEWEST_OPERATIONS = 2
"""Operations that break together before their answers are taken for another release's: one alone may be a defect."""


def served_as_another(profile: str, title: str, served: Mapping[str, Any]) -> str:
    """A sentence where a served description breaks with the profile's and not with another release's; else empty."""
    fits: dict[str, list[str]] = {}
    for other in _others(profile):
        try:
            apart = comparison_of(release_source(other), Source(title, dict(served)))
        except UsageError:
            continue
        fits.setdefault(apart.verdict, []).append(other)
    # The release that says the same, else the newest that it does not break with.
    other = next(iter([*fits.get("none", []), *reversed(fits.get("non-breaking", []))]), "")
    if not other or fits.get("breaking", []) == _others(profile):
        return ""
    return (
        f"The description that this instance serves is of release {other}, and it is judged as {profile}. "
        f"Where it runs {other}, judge it with --profile {other}."
    )


def answers_as_another(profile: str, broken: Collection[str]) -> str:
    """A sentence where all that gates and is broken is what another release does otherwise; else empty.

    `broken` holds requirement ids.
    """
    rows = load(profile).by_id
    operations = {rows[name].operation for name in broken if name in rows}
    lacking = {other: sum(name not in load(other) for name in broken) for other in _others(profile)}
    # The release that lacks most of what is broken; of several the newest.
    for other in sorted(lacking, key=lambda name: (lacking[name], name), reverse=True):
        if lacking[other] and len(operations) >= _FEWEST_OPERATIONS and operations <= set(_changed(profile, other)):
            return (
                f"Everything that is broken is about operations that release {other} changed, and this instance is "
                f"judged as {profile}. Where it runs {other}, judge it with --profile {other}."
            )
    return ""


def _others(profile: str) -> list[str]:
    return [name for name in profiles() if name != profile]


def _changed(profile: str, other: str) -> Iterator[str]:
    """Operations that two releases describe in different ways, or promise different things of."""
    base, revision = Document.load(profile), Document.load(other)
    for operation in base.operations:
        promised = {row.id for row in load(profile).rows if row.operation == operation.id}
        there = {row.id for row in load(other).rows if row.operation == operation.id}
        if promised != there or _whole(base, operation.id) != _whole(revision, operation.id):
            yield operation.id


def _whole(document: Document, operation: str) -> Any:
    """What a document says of an operation, its references followed two levels deep; None where it has none."""
    return _followed(document, document.definition(operation), 6) if document.has(operation) else None


def _followed(document: Document, value: Any, depth: int) -> Any:
    if depth and isinstance(value, Mapping):
        plain = document.resolved(value)
        return {key: _followed(document, item, depth - 1 if "$ref" in value else depth) for key, item in plain.items()}
    return [_followed(document, item, depth) for item in value] if isinstance(value, list) else value
