"""Where operations are served: the servers' URLs with their variables filled in, joined to the operations' paths."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any
from urllib.parse import urlsplit

Address = tuple[str, str]
"""Origin (`https://host`, empty where the URL is relative) and the whole path, its variables' names left out."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_FREE = "{}"
"""Stands in an address for a server variable that may be anything."""
_MOST = 1024
"""Addresses written out for one server; beyond it a variable's choices stay together in one."""


def addresses(listed: list[dict[str, Any]], shape: str) -> frozenset[Address]:
    """Every address of an operation of this path shape, server variables by their choices, or by their default."""
    return frozenset(_address(url, shape) for server in listed for url in _filled(server, free=False))


def ranges(listed: list[dict[str, Any]], shape: str) -> frozenset[Address]:
    """The addresses of servers with variables that may be anything, `{}` where they stand."""
    return frozenset(
        _address(url, shape) for server in listed for url in _filled(server, free=True) if _is_free(server)
    )


def _is_free(server: dict[str, Any]) -> bool:
    variables = server.get("variables") or {}
    return any(
        not variables[name].get("enum") for name in _VARIABLE.findall(str(server.get("url", "/"))) if name in variables
    )


def _filled(server: dict[str, Any], free: bool) -> list[str]:
    url, variables = str(server.get("url", "/")), server.get("variables") or {}
    names = [name for name in dict.fromkeys(_VARIABLE.findall(url)) if name in variables]
    choices = [_choices(variables[name], free) for name in names]
    while math.prod(map(len, choices)) > _MOST:
        longest = max(choices, key=len)
        longest[:] = [" or ".join(sorted(longest))]
    filled = []
    for values in itertools.product(*choices):
        one = url
        for name, value in zip(names, values, strict=True):
            one = one.replace(f"{{{name}}}", value)
        filled.append(one)
    return filled


def _choices(variable: dict[str, Any], free: bool) -> list[str]:
    if free and not variable.get("enum"):
        return [_FREE]
    return [str(value) for value in variable.get("enum") or [variable.get("default", "")]]


def _address(url: str, shape: str) -> Address:
    parts = urlsplit(_VARIABLE.sub("{}", url))
    host = parts.netloc.lower()
    for scheme, port in (("https", ":443"), ("http", ":80")):
        if parts.scheme == scheme:
            host = host.removesuffix(port)
    base = "/" + parts.path.strip("/") if parts.path.strip("/") else ""
    return (f"{parts.scheme.lower()}://{host}" if host else ""), base + shape


def lost(
    base: frozenset[Address], revision: frozenset[Address], base_ranges: frozenset[Address], ranges: frozenset[Address]
) -> list[Address]:
    """Addresses of base that the revision names no longer; a relative URL may stand for any origin.

    `ranges`, of the revision, keep every address they take in; a range of base is kept by the same range alone.
    """
    patterns = [_pattern(one) for one in ranges]
    return sorted(
        one
        for one in base | base_ranges
        if one not in ranges
        and not any(one[1] == other[1] and (one[0] == other[0] or not other[0] or not one[0]) for other in revision)
        and not any(one not in base_ranges and pattern.fullmatch("".join(one)) for pattern in patterns)
    )


def _pattern(address: Address) -> re.Pattern[str]:
    """Matches what the address may be with anything for its free variables."""
    return re.compile("".join(re.escape(part).replace(re.escape(_FREE), ".+") for part in address))
