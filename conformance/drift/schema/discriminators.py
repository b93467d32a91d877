"""What a `discriminator` says: which property tells alternatives apart, and which schema each of its values selects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.drift.schema.annotations import own_schemas
from conformance.drift.schema.atoms import Term
from conformance.drift.schema.differences import Difference
from conformance.drift.schema.references import Description

if TYPE_CHECKING:
    from conformance.drift.schema.schemas import Comparer


@dataclass(frozen=True)
class Discriminator:
    """`selects` leads from a value to the reference it selects; `stated` says whether any of it was written out."""

    name: str
    selects: dict[str, str]
    stated: bool
    description: Description


def between(comparer: Comparer, base: Term, revision: Term) -> Iterator[Difference]:
    """The change of a discriminator."""
    before, after = _read(comparer, base), _read(comparer, revision)
    if before is None and after is None:
        return
    if before is None or after is None:
        yield Difference(comparer.kind(f"discriminator-{'added' if before is None else 'removed'}"))
    elif before.name != after.name:
        yield Difference(comparer.kind("discriminator-changed"), "", f"from {before.name} to {after.name}")
    elif before.stated or after.stated:
        yield from _values(comparer, before, after)


def _values(comparer: Comparer, before: Discriminator, after: Discriminator) -> Iterator[Difference]:
    lost, gained = before.selects.keys() - after.selects.keys(), after.selects.keys() - before.selects.keys()
    if any(_elsewhere(comparer, value, before, after) for value in before.selects.keys() & after.selects.keys()):
        yield Difference(comparer.kind("discriminator-changed"), "", "a value selects another schema")
    if lost:
        yield Difference(comparer.kind("discriminator-values-tightened"), "", f"without {', '.join(sorted(lost))}")
    if gained:
        yield Difference(comparer.kind("discriminator-values-loosened"), "", f"with {', '.join(sorted(gained))}")


def _elsewhere(comparer: Comparer, value: str, before: Discriminator, after: Discriminator) -> bool:
    """Whether the value now selects what another value selected, and no longer what it did."""
    mine, now = _target(comparer, before, value), _target(comparer, after, value)
    if comparer.same(mine, now):
        return False
    return any(comparer.same(mine, _target(comparer, after, other)) for other in after.selects if other != value)


def _target(comparer: Comparer, one: Discriminator, value: str) -> Term:
    return comparer.space.term(one.description, one.description.resolve(one.selects[value]))


def _read(comparer: Comparer, term: Term) -> Discriminator | None:
    for literal in sorted(term):
        node, description = comparer.space.node(literal) if literal > 0 else (None, None)
        if isinstance(node, dict) and description is not None:
            for own in own_schemas(description, node):
                if isinstance(own.get("discriminator"), dict):
                    return _of(own, description)
    return None


def _of(schema: dict[str, Any], description: Description) -> Discriminator:
    stated = schema["discriminator"].get("mapping") or {}
    selects = {value: target if "#" in target else f"#/components/schemas/{target}" for value, target in stated.items()}
    mapped = set(selects.values())
    for branch in [*schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        reference = branch.get("$ref", "") if isinstance(branch, dict) else ""
        if reference and reference not in mapped:
            selects.setdefault(reference.rpartition("/")[2], reference)
    return Discriminator(str(schema["discriminator"].get("propertyName")), selects, bool(stated), description)
