"""Where operations are served: the servers' URLs with their variables filled in, joined to the operations' paths."""

from __future__ import annotations

import itertools
import re
from typing import Any
from urllib.parse import urlsplit

Address = tuple[str, str]
"""Origin (`https://host`, empty where the URL is relative) and the whole path, its variables' names left out."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_MOST = 32


def addresses(listed: list[dict[str, Any]], shape: str) -> frozenset[Address]:
    """Every address of an operation of this path shape."""
    found = set()
    for server in listed:
        for url in _filled(str(server.get("url", "/")), server.get("variables") or {}):
            found.add(_address(url, shape))
    return frozenset(found)


def _filled(url: str, variables: dict[str, Any]) -> list[str]:
    names = [name for name in _VARIABLE.findall(url) if name in variables]
    choices = [_choices(variables[name]) for name in names]
    filled = []
    for values in itertools.islice(itertools.product(*choices), _MOST):
        one = url
        for name, value in zip(names, values, strict=True):
            one = one.replace(f"{{{name}}}", value)
        filled.append(one)
    return filled


def _choices(variable: dict[str, Any]) -> list[str]:
    return [str(value) for value in variable.get("enum") or [variable.get("default", "")]]


def _address(url: str, shape: str) -> Address:
    parts = urlsplit(_VARIABLE.sub("{}", url))
    host = parts.netloc.lower()
    for scheme, port in (("https", ":443"), ("http", ":80")):
        if parts.scheme == scheme:
            host = host.removesuffix(port)
    base = "/" + parts.path.strip("/") if parts.path.strip("/") else ""
    return (f"{parts.scheme.lower()}://{host}" if host else ""), base + shape


def lost(base: frozenset[Address], revision: frozenset[Address]) -> list[Address]:
    """Addresses of base that the revision no longer names; a relative URL may stand for any origin."""
    return sorted(
        one
        for one in base
        if not any(one[1] == other[1] and (one[0] == other[0] or not other[0] or not one[0]) for other in revision)
    )
