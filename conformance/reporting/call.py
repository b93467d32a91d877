"""A request made fit to be shown: what the snippets of every language are rendered from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from conformance import redaction
from conformance.api import multipart
from conformance.model import Request
from conformance.spec.document import BASE_PROFILE

_SHOWN_HEADERS = (
    "accept",
    "access-control-request-method",
    "content-encoding",
    "content-type",
    "format",
    "if-match",
    "if-none-match",
    "origin",
    "prefer",
    "x-http-method-override",
)
"""Headers that may change an answer; every other one is the HTTP library's, or may hold what is not to be shown."""

_IMPLIED = {("accept", "*/*")}
_CREDENTIAL = re.compile(r"(?i)([?&](?:access_token|token|bearer|authorization|jwt)=)[^&#]*")
_TEXT_LIMIT, BINARY_LIMIT = 8_192, 3_072
"""Bytes of a body that still read well in a command; beyond, the command names a file."""

OPEN, CLOSE = "\ue000", "\ue001"
PLACEHOLDER = re.compile(f"{OPEN}(\\w+){CLOSE}")


def placeholder(name: str) -> str:
    """Text that the renderers turn into a reference to the variable `name`."""
    return f"{OPEN}{name}{CLOSE}"


@dataclass(frozen=True)
class Access:
    """How a run reached its target: the release it judged, and the PEM files that it was given.

    `ca_file` holds authorities, `client_cert` a certificate of its own, and `client_key` that certificate's key.
    """

    profile: str = BASE_PROFILE
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""

    @property
    def files(self) -> dict[str, str]:
        """The files that were given, by the name of their option without dashes."""
        named = {"ca_file": self.ca_file, "client_cert": self.client_cert, "client_key": self.client_key}
        return {name: file for name, file in named.items() if file}

    @property
    def options(self) -> str:
        """The same files as options of this package's commands, each after a space."""
        return "".join(f" --{name.replace('_', '-')} {shlex.quote(file)}" for name, file in self.files.items())


_ACCESS: ContextVar[Access] = ContextVar("access", default=Access())  # noqa: B039 - frozen


def access() -> Access:
    """How the run whose report is being written reached its target."""
    return _ACCESS.get()


@contextmanager
def reached_by(how: Access) -> Iterator[None]:
    """Snippets written in this block reach the target as the run did."""
    token = _ACCESS.set(how)
    try:
        yield
    finally:
        _ACCESS.reset(token)


@dataclass(frozen=True)
class Call:
    """A request made fit to be shown: credentials replaced by placeholders, headers reduced to those that matter.

    Exactly one of `text`, `raw` and `parts` speaks of the body: `text` where it reads well, `raw` where it is small
    and binary, `parts` for forms. `file` names what must stand beside the command where the body is too large.
    `value` is the body as JSON where placeholders stand in it, None elsewhere.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    text: str = ""
    raw: bytes = b""
    parts: tuple[multipart.Part, ...] = ()
    file: str = ""
    size: int = 0
    value: Any = None


def call_of(request: Request) -> Call:
    """A request as it may be shown."""
    headers = tuple(_shown_headers(request))
    method, url = request.method.upper(), _shown_url(request.url)
    if request.media_type == "multipart/form-data" and (parts := _parts(request)):
        kept = tuple(header for header in headers if header[0].lower() != "content-type")
        return Call(method, url, kept, parts=parts)
    return _with_body(Call(method, url, headers, size=len(request.body)), request)


def _with_body(call: Call, request: Request) -> Call:
    body = request.body
    text = _readable(body)
    if text is not None and len(body) <= _TEXT_LIMIT:
        return Call(call.method, call.url, call.headers, text=redaction.redact_text(text), size=len(body))
    if text is None and len(body) <= BINARY_LIMIT:
        return Call(call.method, call.url, call.headers, raw=body, size=len(body))
    suffix = "arrow" if "arrow" in request.media_type else "json" if "json" in request.media_type else "bin"
    return Call(call.method, call.url, call.headers, file=f"body.{suffix}", size=len(body))


def _parts(request: Request) -> tuple[multipart.Part, ...]:
    return tuple(multipart.decode(request.headers.get("content-type", ""), request.body).values())


def _shown_headers(request: Request) -> Iterator[tuple[str, str]]:
    for name, value in request.headers.fields:
        key = name.lower()
        if key == "authorization":
            scheme, _, rest = value.partition(" ")
            yield "Authorization", f"{scheme} {placeholder('TOKEN')}" if rest else placeholder("TOKEN")
        elif key in _SHOWN_HEADERS and (key, value) not in _IMPLIED:
            yield "-".join(word.capitalize() for word in key.split("-")), redaction.redact_text(value)


def _shown_url(url: str) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))
    return redaction.redact_text(_CREDENTIAL.sub(rf"\g<1>{placeholder('TOKEN')}", plain))


def _readable(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\n\t" for character in text) else None


def base_of(url: str) -> str:
    """The base URL of an instance: what stands before the API's own path, else scheme, host and port."""
    parts = urlsplit(url)
    before, api, _ = parts.path.partition("/v1/api/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{before if api else ''}"


def file_of(part: multipart.Part) -> str:
    """The name under which a form's file must lie beside the command."""
    return "model.onnx" if part.content_type != "text/plain" else "model.txt"


def alternate(text: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a text in turn, each with whether it is a placeholder's name."""
    return ((index % 2 == 1, piece) for index, piece in enumerate(PLACEHOLDER.split(text)))
