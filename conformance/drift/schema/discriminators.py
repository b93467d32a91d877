"""What a `discriminator` says: which property tells alternatives apart, and which schema each of its values selects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.drift.schema.annotations import own_schemas
from conformance.drift.schema.atoms import Term
from conformance.drift.schema.differences import Difference
from conformance.drift.schema.references import Description
from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.drift.schema.schemas import Comparer


@dataclass(frozen=True)
class Discriminator:
    """`selects` leads from a value to the schema it selects, or to the text of a reference to elsewhere.

    `stated` says whether any of it was written out.
    """

    name: str
    selects: dict[str, Any]
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
    if isinstance(before.selects[value], str) or _same(comparer, before, value, after, value):
        return False
    return any(_same(comparer, before, value, after, other) for other in after.selects if other != value)


def _same(comparer: Comparer, one: Discriminator, value: str, other: Discriminator, its_value: str) -> bool:
    """Whether the two values select the same; of what stands outside the description only the reference is known."""
    mine, theirs = one.selects[value], other.selects[its_value]
    if isinstance(mine, str) or isinstance(theirs, str):
        return bool(mine == theirs)
    term = comparer.space.term
    return comparer.same(term(one.description, mine), term(other.description, theirs))


def _read(comparer: Comparer, term: Term) -> Discriminator | None:
    for literal in sorted(term):
        node, description = comparer.space.node(literal) if literal > 0 else (None, None)
        if isinstance(node, dict) and description is not None:
            for own in own_schemas(description, node):
                if isinstance(own.get("discriminator"), dict):
                    return _of(own, description)
    return None


def _of(schema: dict[str, Any], description: Description) -> Discriminator:
    stated = schema["discriminator"].get("mapping")
    stated = stated if isinstance(stated, dict) else {}
    selects: dict[str, Any] = {}
    for value, target in stated.items():
        found = _led_to(description, target)
        if found is not None:
            selects[str(value)] = found
    mapped = {id(target) for target in selects.values()}
    for branch in [*schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        reference = branch.get("$ref", "") if isinstance(branch, dict) else ""
        if reference and id(description.resolve(reference)) not in mapped:
            selects.setdefault(reference.rpartition("/")[2], description.resolve(reference))
    return Discriminator(str(schema["discriminator"].get("propertyName")), selects, bool(stated), description)


def _led_to(description: Description, target: Any) -> Any:
    """The schema a mapping's value leads to, its text where it stands elsewhere, None where it leads nowhere."""
    if not isinstance(target, str):
        return None
    named = "#" not in target and "/" not in target
    try:
        return description.resolve(f"#/components/schemas/{target}" if named else target)
    except UsageError:
        return None if named or target.startswith("#") else target


def selected(description: Description, schema: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """What the schema's own `discriminator` says: the property, and the schema of each value where any is stated."""
    if isinstance(schema.get("discriminator"), dict):
        one = _of(schema, description)
        yield ("discriminator", one.name), True
        for value in sorted(one.selects) if one.stated else ():
            target = one.selects[value]
            yield ("mapping", f"{value} {target if isinstance(target, str) else ''}"), isinstance(target, str) or target
