"""Which part of a description a message falls under: media types normalised, statuses and their classes, query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from email.message import Message
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from conformance.model import Request, Response
from conformance.spec.problems import Problem

HOLDS_WITHOUT = "x-holds-without"
"""Our extension of a media type: its schema holds for requests that send none of these query parameters."""


@lru_cache(maxsize=512)
def normalised(content_type: str) -> str:
    """A media type as it is compared (RFC 9110 8.3.1): type and parameter names in lower case, `charset` left out.

    `Application/JSON;format="pandas-records"; charset=utf-8` becomes `application/json; format=pandas-records`.
    """
    kept = sorted(item for item in _parameters(content_type).items() if item[0] not in ("", "charset", "boundary"))
    return "; ".join([content_type.split(";")[0].strip().lower(), *(f"{key}={value}" for key, value in kept)])


def boundary(content_type: str) -> str:
    """The boundary of a form's content type (RFC 2046 5.1.1), empty where there is none."""
    return _parameters(content_type).get("boundary", "")


def _parameters(content_type: str) -> dict[str, str]:
    message = Message()
    message["content-type"] = " ".join(content_type.split())
    found = message.get_params(failobj=[], unquote=True)[1:]
    return {str(name).lower(): str(value) for name, value in found}


@lru_cache(maxsize=512)
def chosen(declared: tuple[str, ...], content_type: str) -> str | None:
    """The declared media type that a content type falls under, None where there is none.

    Best first: with its parameters, without them, by a range (`text/*`, `*/*`).
    """
    full = normalised(content_type)
    bare = full.split(";")[0]
    kinds = (full, bare, f"{bare.split('/')[0]}/*", "*/*") if "/" in bare else (full,)
    by_name = {normalised(key): key for key in declared}
    return next((by_name[kind] for kind in kinds if kind in by_name), None)


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON by its name (RFC 6839 for the suffix)."""
    bare = media_type.split(";")[0].strip().lower()
    return bare == "application/json" or bare.endswith("+json")


def may_be_empty(declared: Iterable[str]) -> bool:
    """Whether an empty body falls under one of these media types: any text, or anything at all."""
    return any(key == "*/*" or key.lower().startswith("text/") for key in declared)


def headers_known(message: Request | Response) -> bool:
    """Whether what is missing among a message's headers is known to be missing."""
    return not isinstance(message, Response) or message.headers_known


def body_known(message: Request | Response) -> bool:
    """Whether a message's body was kept."""
    return not isinstance(message, Response) or message.body_known


def effective_type(message: Request | Response) -> str:
    """What a message's content is called: as its header says, else of unknown type (RFC 9110 8.3); empty for none."""
    unnamed = "application/octet-stream" if message.body and headers_known(message) else ""
    return message.headers.get("content-type", "") or unnamed


def is_undeclared(declared: tuple[str, ...], message: Request | Response) -> bool:
    """Whether a message has content, and of a type that is not among the declared ones."""
    sent = effective_type(message) if message.body or not body_known(message) else ""
    return bool(declared and sent) and chosen(declared, sent) is None


def falls_under(declared: tuple[str, ...], message: Request | Response) -> str | None:
    """The declared media type to read a body as: what its header names, else JSON if it is or can only be that."""
    sent = effective_type(message)
    named = chosen(declared, sent) if sent else None
    if named is not None:
        return named
    json_types = [name for name in declared if is_json(name)]
    return json_types[0] if json_types and (len(json_types) == len(declared) or message.is_json) else None


def response_key(declared: Collection[str], status: int) -> str | None:
    """The key of a status among an operation's responses: itself, its class, the default; None where undeclared."""
    return next((key for key in (str(status), f"{status // 100}XX", "default") if key in declared), None)


def success_key(declared: Iterable[str]) -> str | None:
    """The key of the first success among an operation's responses."""
    return next((key for key in declared if key.startswith("2")), None)


def any_status(
    contents: Mapping[str, tuple[str, ...]], body: bytes, judge: Callable[[str], list[Problem]]
) -> list[Problem]:
    """Problems of a response whose status is unknown: none where it fits some status, else those with the success.

    `contents` holds the declared media types by response key. A body is held only to descriptions that say something:
    one that lets any body pass would excuse them all.
    """
    if not body and any(not declared or may_be_empty(declared) for declared in contents.values()):
        return []
    telling = [key for key, declared in contents.items() if declared and "*/*" not in declared]
    success = success_key(contents)
    found: list[Problem] = []
    for key in telling:
        problems = judge(key)
        if not problems:
            return []
        if key == success:
            found = problems
    return found


def is_selective(media_type: Mapping[str, Any], url: str) -> bool:
    """Whether a request's query changes the shape of what it is answered, so that the schema does not hold."""
    names = media_type.get(HOLDS_WITHOUT, ())
    if not names or "?" not in url:
        return False
    return any(key in names for key, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))
