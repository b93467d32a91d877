"""A second opinion on inclusion where ours finds no answer: jsonschema-rs' canonical form of the schemas themselves."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
from jsonschema_rs import canonical

from conformance.drift.schema.atoms import Term
from conformance.drift.schema.confirmation import Copier
from conformance.drift.schema.references import Description
from conformance.drift.schema.space import Space


class SecondOpinion:
    """Asks jsonschema-rs about the terms of one space, each made canonical once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._copiers: dict[int, Copier] = {}
        self._made: dict[Term, jsonschema_rs.CanonicalSchema | None] = {}

    def includes(self, first: Term, second: Term) -> bool | None:
        """Whether the second admits every value of the first; None where jsonschema-rs does not tell.

        It is not asked of unions made here, which no schema of a description stands for.
        """
        inner, outer = self._canonical(first), self._canonical(second)
        if inner is None or outer is None:
            return None
        try:
            answer = outer.covers(inner)
        except (canonical.UnsupportedOperand, canonical.UnsupportedResult, canonical.IncompatibleOperands):
            return None
        return {canonical.Containment.YES: True, canonical.Containment.NO: False}.get(answer)

    def _canonical(self, term: Term) -> jsonschema_rs.CanonicalSchema | None:
        if term not in self._made:
            self._made[term] = self._make(term)
        return self._made[term]

    def _make(self, term: Term) -> jsonschema_rs.CanonicalSchema | None:
        parts: list[Any] = []
        definitions: dict[str, Any] = {}
        for literal in sorted(term):
            node, description = self.space.node(literal)
            if description is None and node is not True:
                return None
            whole: dict[str, Any] = {"allOf": [True]}
            if description is not None:
                whole = self._copier(description).whole(node)
            definitions.update(whole.get("$defs", {}))
            (schema,) = whole["allOf"]
            parts.append({"not": schema} if literal < 0 else schema)
        try:
            return jsonschema_rs.canonicalize(
                {"allOf": parts, "$defs": definitions}, draft=jsonschema_rs.Draft202012, validate_formats=True
            )
        except (jsonschema_rs.ValidationError, canonical.CanonicalizationError, canonical.InvalidPattern, ValueError):
            return None

    def _copier(self, description: Description) -> Copier:
        return self._copiers.setdefault(id(description), Copier(description, self.space.side))
