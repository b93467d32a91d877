"""What a `discriminator` says: which property tells alternatives apart, and which schema each of its values selects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.drift.schema.references import Description
from conformance.errors import UsageError


@dataclass(frozen=True)
class Discriminator:
    """`selects` leads from a value to the schema it selects, or to the text of a reference to elsewhere.

    `stated` says whether any of it was written out.
    """

    name: str
    selects: dict[str, Any]
    stated: bool
    description: Description


def discriminator_of(schema: dict[str, Any], description: Description) -> Discriminator:
    """What the schema's own `discriminator` says, the names of its references included."""
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
        one = discriminator_of(schema, description)
        yield ("discriminator", one.name), True
        for value in sorted(one.selects) if one.stated else ():
            target = one.selects[value]
            yield ("mapping", f"{value} {target if isinstance(target, str) else ''}"), isinstance(target, str) or target
