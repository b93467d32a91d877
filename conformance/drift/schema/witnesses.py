"""Values that may show a difference, made from atoms, and their confirmation by an independent validator.

The validator is jsonschema-rs over the description's own schemas, not over atoms: an error in how atoms are read cannot
confirm itself. A witness counts where the sender's schema admits it and the receiver's does not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import jsonschema_rs

from conformance.drift.schema import strings
from conformance.drift.schema.atoms import Array, Atom, Contains, Number, Object, Single, Term, Text
from conformance.drift.schema.description import DATA, HIDDEN, Description, is_hidden, own_schemas
from conformance.drift.schema.space import Space, is_of, item_term, property_term
from conformance.drift.schema.values import ABSENT, key_of, plain

FRESH = "anything-else"
"""A property name that no description uses by chance."""

DEEPEST = 30
"""Levels beyond which no witness is made: a chain of schemas may be as long as the description."""

_MOST_ITEMS = 2000


class Instances:
    """Makes values of one space's terms; remembers the smallest of each."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._smallest: dict[Term, Any] = {}
        self._open: set[Term] = set()

    def smallest(self, term: Term) -> Any:
        """A small value of the term, ABSENT where none was found; recursive schemas end where they may."""
        if term in self._smallest:
            return self._smallest[term]
        if term in self._open:
            return ABSENT
        self._open.add(term)
        try:
            found = next((v for atom in self.space.expand(term) if (v := self.of_atom(atom)) is not ABSENT), ABSENT)
        finally:
            self._open.discard(term)
        if found is not ABSENT or not self._open:
            self._smallest[term] = found
        return found

    def of_atom(self, atom: Atom) -> Any:
        """A small value of the atom, or ABSENT."""
        return next(self.several(atom, depth=0), ABSENT)

    def several_of(self, term: Term, depth: int = 2, most: int = 12) -> Iterator[Any]:
        """Different values of the term, edges included; `depth` levels deep they vary."""
        each = [self.several(atom, depth) for atom in self.space.expand(term)]
        mixed = (v for row in itertools.zip_longest(*each, fillvalue=ABSENT) for v in row if v is not ABSENT)
        return itertools.islice(mixed, most)

    def several(self, atom: Atom, depth: int = 1) -> Iterator[Any]:
        """Different values of the atom, the smallest first."""
        if isinstance(atom, Single):
            candidates: Iterator[Any] = iter([atom.value])
        elif isinstance(atom, Number):
            candidates = numbers(atom)
        elif isinstance(atom, Text):
            candidates = strings.samples(atom)
        elif isinstance(atom, Array):
            candidates = self._arrays(atom, depth)
        else:
            candidates = self._objects(atom, depth)
        return (v for v in candidates if v is not ABSENT and is_of(self.space, v, atom))

    def _arrays(self, atom: Array, depth: int) -> Iterator[Any]:
        yield from self.array_of(atom, [], atom.low)
        if depth <= 0:
            return
        for index in range(max((len(shape.prefix) for shape in atom.shapes), default=0) + 1):
            for item in self.several_of(item_term(atom, index), depth - 1, 6):
                yield from self.around_item(atom, index, item)
        for length in {atom.low + 1, atom.high if atom.high is not None else atom.low + 2} - {atom.low}:
            yield from self.array_of(atom, [], length)

    def around_item(self, atom: Array, index: int, item: Any) -> Iterator[Any]:
        """Arrays of the atom that hold this item, at this index or after."""
        before = [self.smallest(item_term(atom, i)) for i in range(index)]
        for length in (max(atom.low, index + 1), max(atom.low, index + 1) + 1):
            yield from self.array_of(atom, [*before, item], length)

    def array_of(self, atom: Array, items: list[Any], length: int) -> Iterator[Any]:
        if length > _MOST_ITEMS or ABSENT in items:
            return
        items = list(items)
        for rule in atom.contains:
            self._contain(atom, rule, items)
        if ABSENT in items:
            return
        used = {key_of(item) for item in items}
        pool: dict[Term, Iterator[Any]] = {}
        while len(items) < length:
            term = item_term(atom, len(items))
            if not atom.unique:
                item = self.smallest(term)
            else:
                source = pool.setdefault(term, self._unused(term, used))
                item = next(source, ABSENT)
            if item is ABSENT:
                return
            used.add(key_of(item))
            items.append(item)
        yield items

    def _contain(self, atom: Array, rule: Contains, items: list[Any]) -> None:
        """Add what the rule asks for and the items have not, after as many others as its place needs."""
        missing = rule.low - sum(self.space.member(item, rule.term) for item in items)
        if missing <= 0:
            return
        prefix = max((len(shape.prefix) for shape in atom.shapes), default=0)
        while self.space.vacant(rule.term | item_term(atom, len(items))) and len(items) < prefix:
            items.append(self.smallest(item_term(atom, len(items))))
        wanted = self.several_of(rule.term | item_term(atom, len(items)), 1, missing)
        items.extend(itertools.islice(wanted if atom.unique else itertools.cycle(list(wanted)), missing))

    def _unused(self, term: Term, used: set[Any]) -> Iterator[Any]:
        grown = itertools.chain(range(1, 100), (f"a{i}" for i in range(100)))
        for value in itertools.chain(self.several_of(term, 1, 40), grown):
            if key_of(value) not in used and self.space.member(value, term):
                yield value

    def _objects(self, atom: Object, depth: int) -> Iterator[Any]:
        least = self.completed(atom, {})
        if least is ABSENT:
            return
        yield least
        if depth <= 0:
            return
        declared = [name for name in names_of(self.space, atom) if name != FRESH]
        everything = dict(least)
        for name in declared:
            for value in self.several_of(property_term(self.space, atom, name), depth - 1, 6):
                everything.setdefault(name, value)
                yield self.completed(atom, {name: value})
        yield everything
        for name in (FRESH, f"{FRESH}-too"):
            extra = self.smallest(property_term(self.space, atom, name))
            if extra is not ABSENT:
                yield {**least, name: extra}

    def completed(self, atom: Object, part: dict[str, Any]) -> Any:
        """The part with the properties the atom requires and no more, or ABSENT."""
        value = dict(part)
        for name in sorted(atom.required - part.keys()):
            value[name] = self.smallest(property_term(self.space, atom, name))
            if value[name] is ABSENT:
                return ABSENT
        if len(value) < atom.low:
            self._fill(atom, value)
        return value if is_of(self.space, value, atom) else ABSENT

    def marks(self, atom: Object) -> dict[str, Any]:
        """The properties that may hold one value only, required or not: what tells alternatives apart."""
        found = {}
        for name in sorted(atom.declared):
            values = self.space.expand(property_term(self.space, atom, name))
            if len(values) == 1 and isinstance(values[0], Single):
                found[name] = values[0].value
        return found

    def everything(self, atom: Object) -> dict[str, Any]:
        """A small value of every declared property."""
        found = {name: self.smallest(property_term(self.space, atom, name)) for name in sorted(atom.declared)}
        return {name: value for name, value in found.items() if value is not ABSENT}

    def _fill(self, atom: Object, value: dict[str, Any]) -> None:
        fresh = (f"{FRESH}-{i}" for i in range(min(atom.low, _MOST_ITEMS)))
        for name in itertools.chain(names_of(self.space, atom), fresh):
            if len(value) >= atom.low:
                return
            extra = self.smallest(property_term(self.space, atom, name))
            if name not in value and extra is not ABSENT:
                value[name] = extra


def names_of(space: Space, *atoms: Object) -> list[str]:
    """Property names that stand for all: those the atoms name, and some inside and outside of every pattern."""
    found: dict[str, None] = {}
    patterns: dict[str, None] = {}
    for atom in atoms:
        found.update(dict.fromkeys(sorted(atom.declared | atom.required)))
        for shape in atom.shapes:
            found.update(dict.fromkeys(shape.named))
            patterns.update(dict.fromkeys(pattern for pattern, _ in shape.patterns))
        if atom.names:
            for one in space.expand(atom.names):
                if isinstance(one, Single) and isinstance(one.value, str):
                    found[one.value] = None
                elif isinstance(one, Text):
                    patterns.update(dict.fromkeys(pattern for pattern, _ in one.patterns))
                    found.update(dict.fromkeys(_around(one)))
    found.update(dict.fromkeys(_by_patterns(tuple(patterns)[:8])))
    found[FRESH] = None
    return list(found)


def _around(atom: Text) -> list[str]:
    """A few strings of the atom, and some it does not admit."""
    return [*itertools.islice(strings.samples(atom), 3), *strings.difference(Text(), [atom])[1][:3]]


@lru_cache(maxsize=256)
def _by_patterns(patterns: tuple[str, ...]) -> list[str]:
    """Names that match each pattern, each alone, and none of them."""
    wanted = [frozenset({(one, True)}) for one in patterns]
    wanted += [frozenset((other, other == one) for other in patterns) for one in (*patterns, "")]
    return [name for tagged in wanted if tagged for name in itertools.islice(strings.samples(Text(patterns=tagged)), 2)]


def numbers(atom: Number) -> Iterator[Any]:
    """Numbers at and around the atom's bounds."""
    step = atom.step or Fraction(1, 2)
    seen: set[Fraction] = set()
    for edge in (Fraction(0), Fraction(1), *(b[0] for b in (atom.low, atom.high) if b is not None)):
        base = math.ceil(edge / step) * step if atom.step else edge
        for candidate in (
            base,
            base + step,
            base - step,
            base + 7 * step,
            edge + Fraction(1, 4),
            edge - Fraction(1, 4),
        ):
            if candidate not in seen:
                seen.add(candidate)
                yield _carried(candidate)
    if atom.low and atom.high:
        yield _carried((atom.low[0] + atom.high[0]) / 2)
    yield from (10**9, -(10**9), 2**40, -(2**40), 2**70, 10**400, -(10**400), 0.1)


def _carried(number: Fraction) -> int | float:
    try:
        return plain(number)
    except OverflowError:
        return int(number)


_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_DROPPED = frozenset({"$id", "$anchor", "$dynamicAnchor", "$schema", "discriminator", "xml", "externalDocs"})


def _check(name: str) -> Callable[[str], bool]:
    return lambda text: strings.fits(name, text)


_CHECKS = {name: _check(name) for name in ("byte", "base64url")}


class Validators:
    """Validators of one side of the wire, made when asked for, over what the values at hand can reach."""

    def __init__(self, side: str) -> None:
        self.side = side
        self._names: frozenset[str] = frozenset()
        self._made: dict[int, tuple[Any, frozenset[str], jsonschema_rs.Draft202012Validator | None]] = {}

    def prepare(self, values: Iterable[Any]) -> None:
        """Forget the validators made so far, and make the next ones for values that hold the properties of these."""
        self._names = names_in(values)
        self._made.clear()

    def admits(self, description: Description, schema: Any, value: Any) -> bool | None:
        """Whether the schema admits the value; formats are asserted, the other side's properties left out.

        None where the validator cannot take the schema: a `pattern` that is none, or that is too large for it.
        """
        names = names_in([value])
        made = self._made.get(id(schema))
        if made is None or not names <= made[1]:
            names |= self._names if made is None else made[1]
            made = self._made[id(schema)] = (schema, names, self._make(description, schema, names))
        return None if made[2] is None else bool(made[2].is_valid(value))

    def _make(
        self, description: Description, schema: Any, names: frozenset[str]
    ) -> jsonschema_rs.Draft202012Validator | None:
        copier = Copier(description, self.side, names)
        try:
            return jsonschema_rs.Draft202012Validator(copier.whole(schema), validate_formats=True, formats=_CHECKS)
        except jsonschema_rs.ValidationError:
            return None


def names_in(values: Iterable[Any]) -> frozenset[str]:
    """The names of all properties anywhere in the values."""
    found: set[str] = set()
    left = list(values)
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found.update(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return frozenset(found)


class Copier:
    """Copies schemas into ones that stand alone: references led into `$defs`, numeric formats written as bounds.

    With `names`, the copies judge values whose properties are all among them: they say nothing of any other property.
    """

    def __init__(self, description: Description, side: str, names: frozenset[str] | None = None) -> None:
        self.description, self.side, self.names = description, side, names
        self._definitions: dict[str, Any] = {}
        self._needs: dict[str, set[str]] = {"": set()}
        self._names: dict[tuple[int, frozenset[str]], str] = {}
        self._prefix = f"d{id(description)}-"
        self._within = ""
        self._hides = description.says(HIDDEN[side])

    def whole(self, schema: Any) -> dict[str, Any]:
        """The schema with every definition it needs, and no other."""
        self._needs[""] = set()
        root = self.copy(schema, frozenset())
        needed, queue = set[str](), [*self._needs[""]]
        while queue:
            name = queue.pop()
            if name not in needed:
                needed.add(name)
                queue.extend(self._needs[name])
        return {"allOf": [root], "$defs": {name: self._definitions[name] for name in sorted(needed)}}

    def copy(self, node: Any, hidden: frozenset[str]) -> Any:
        if not isinstance(node, dict):
            return node
        if self._hides:
            hidden = hidden | self._hidden(node)
        copied: dict[str, Any] = {}
        for key, child in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(child, str):
                copied["$ref"] = f"#/$defs/{self._definition(self.description.resolve(child), hidden)}"
            elif key not in _DROPPED:
                copied[key] = self._member(key, child, hidden)
        self._leave_out(copied, hidden)
        return self._with_format(copied)

    def _hidden(self, node: dict[str, Any]) -> frozenset[str]:
        return frozenset(
            name
            for own in own_schemas(self.description, node)
            for name, schema in (own.get("properties") or {}).items()
            if is_hidden(self.description, schema, self.side)
        )

    def _definition(self, target: Any, hidden: frozenset[str]) -> str:
        key = (id(target), hidden)
        if key not in self._names:
            self._names[key] = name = f"{self._prefix}{len(self._names)}"
            outer, self._within = self._within, name
            self._needs[name] = set()
            self._definitions[name] = self.copy(target, hidden)
            self._within = outer
        self._needs[self._within].add(self._names[key])
        return self._names[key]

    def _member(self, key: str, child: Any, hidden: frozenset[str]) -> Any:
        if key in DATA:
            return child
        if key in _MAPS and isinstance(child, dict):
            kept = child if self.names is None or key != "properties" else child.keys() & self.names
            return {name: self.copy(child[name], frozenset()) for name in child if name in kept}
        if isinstance(child, list):
            same_value = key in ("allOf", "anyOf", "oneOf")
            return [self.copy(item, hidden if same_value else frozenset()) for item in child]
        return self.copy(child, frozenset()) if isinstance(child, dict) else child

    def _leave_out(self, copied: dict[str, Any], hidden: frozenset[str]) -> None:
        if not hidden:
            return
        if isinstance(copied.get("properties"), dict):
            copied["properties"] = {name: s for name, s in copied["properties"].items() if name not in hidden}
        if isinstance(copied.get("required"), list):
            copied["required"] = [name for name in copied["required"] if name not in hidden]

    def _with_format(self, copied: dict[str, Any]) -> dict[str, Any]:
        parts = []
        if isinstance(copied.get("format"), str) and copied["format"] in strings.RANGES:
            low, high, step = strings.RANGES[copied.pop("format")]
            bounds = {"minimum": int(low), "maximum": int(high), **({"multipleOf": 1} if step else {})}
            parts.append({"if": {"type": "number"}, "then": bounds})
        if copied.get("contentEncoding") in ("base64", "base64url"):
            name = "byte" if copied["contentEncoding"] == "base64" else "base64url"
            parts.append({"if": {"type": "string"}, "then": {"format": name}})
        return {**copied, "allOf": [*copied.get("allOf", ()), *parts]} if parts else copied
