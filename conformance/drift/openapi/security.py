"""Which credentials a description asks for: alternatives of schemes with scopes, by what schemes are, not by key."""

from __future__ import annotations

from typing import Any

from conformance.drift.schema.references import Description

Identity = tuple[str, ...]
"""What a scheme is: its type and what its type goes by."""

Flow = tuple[str, str, str]
"""An OAuth flow: its name and its URLs."""

Need = tuple[Identity, frozenset[Flow], frozenset[str]]
"""One scheme, the flows that lead to it, and the scopes asked for."""

Alternative = frozenset[Need]
"""Schemes that are needed together; empty: none."""


class Schemes:
    """The security schemes of one description."""

    def __init__(self, description: Description) -> None:
        components = description.root.get("components") or {}
        listed = components.get("securitySchemes") or {}
        self._known = {name: _scheme(description.follow(node)) for name, node in listed.items()}

    def alternatives(self, requirements: Any) -> frozenset[Alternative]:
        """The alternatives of a `security` member; none stated is the one alternative that needs nothing."""
        found = {
            frozenset(
                (*self._known.get(name, (("unknown", name), frozenset())), frozenset(scopes))
                for name, scopes in one.items()
            )
            for one in requirements or ()
        } or {frozenset()}
        return frozenset(one for one in found if not any(other and other != one and met(other, one) for other in found))


def _scheme(node: dict[str, Any]) -> tuple[Identity, frozenset[Flow]]:
    kind = str(node.get("type"))
    flows: frozenset[Flow] = frozenset()
    if kind == "apiKey":
        name = str(node.get("name"))
        identity: Identity = (kind, str(node.get("in")), name.lower() if node.get("in") == "header" else name)
    elif kind == "http":
        identity = (kind, str(node.get("scheme")).lower())
    elif kind == "openIdConnect":
        identity = (kind, str(node.get("openIdConnectUrl")))
    else:
        identity = (kind,)
        flows = frozenset(
            (name, str(flow.get("authorizationUrl", "")), str(flow.get("tokenUrl", "")))
            for name, flow in (node.get("flows") or {}).items()
            if isinstance(flow, dict)
        )
    return identity, flows


def met(needed: Alternative, held: Alternative) -> bool:
    """Whether who holds the credentials of `held` has all that `needed` asks for."""
    return all(any(own[0] == need[0] and own[1] <= need[1] and need[2] <= own[2] for own in held) for need in needed)


def relation(base: frozenset[Alternative], revision: frozenset[Alternative]) -> str:
    """Empty where nothing changed, else tightened, loosened or changed."""
    if base == revision:
        return ""
    refused = any(not any(met(new, old) for new in revision) for old in base)
    newly = any(not any(met(old, new) for old in base) for new in revision)
    return {(True, True): "changed", (True, False): "tightened"}.get((refused, newly), "loosened")


def told(alternatives: frozenset[Alternative]) -> str:
    """The alternatives in words."""
    return " or ".join(sorted(" and ".join(sorted(map(_need, one))) or "no credentials" for one in alternatives))


def _need(need: Need) -> str:
    identity, _, scopes = need
    return " ".join(identity) + (f" with {', '.join(sorted(scopes))}" if scopes else "")
