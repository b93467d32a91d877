"""What comes in and what goes out: a call, an answer, and the refusal that becomes one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

JSON = "application/json"
ARROW_FILE = "application/vnd.apache.arrow.file"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
_HOST = re.compile(r"[A-Za-z0-9.\-_]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


ABORT = "conformance.abort"
"""The name of the server's extension that drops a connection."""


class ClientGoneError(Exception):
    """The connection is closed; nobody is there to be answered."""


async def _no_body(limit: int) -> bytes:
    return b""


@dataclass(frozen=True)
class Call:
    """One request; `operation` is empty for a path of none.

    `path` is percent-encoded as sent; `headers` have lower-case names; `base` is scheme and host as the client wrote
    them, `forwarded_from` the same as an ingress on this machine told it, empty where none did; `parameters` are the
    decoded path parameters; `user` is the token's subject once authenticated; `body` is empty until `read`, given the
    most bytes to take, has been awaited; `abort` drops the connection.
    """

    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    base: str = ""
    forwarded_from: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: str = ""
    read: Callable[[int], Awaitable[bytes]] = field(default=_no_body, repr=False, compare=False)
    abort: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, lower case, empty where there is none."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def media_parameters(self) -> dict[str, str]:
        """The content type's parameters, names and values lower case and unquoted (RFC 9110 5.6.6)."""
        parts = self.headers.get("content-type", "").split(";")[1:]
        pairs = (part.partition("=") for part in parts if part.strip())
        return {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}

    def asked(self, name: str) -> tuple[str, ...]:
        """Every value the query gives `name`, in order."""
        return tuple(value for key, value in parse_qsl(self.query, keep_blank_values=True) if key == name)

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """One response. `media_type` empty means no Content-Type."""

    status: int
    body: bytes = b""
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            return None


class RefusalError(Exception):
    """A request that is not served, and why: the API's `{msg, code}` under the same status."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}

    def answer(self) -> Answer:
        """The refusal as it is sent."""
        return Answer(
            self.status, orjson.dumps({"msg": self.sentence, "code": self.status}), headers=dict(self.headers)
        )


def answered(value: Any, status: int = 200) -> Answer:
    """A JSON value as an answer."""
    return Answer(status, orjson.dumps(value))


def bad_request(sentence: str) -> RefusalError:
    """A 400 whose message begins as the recorded ones do."""
    return RefusalError(400, f"Bad request: {sentence}")


def header_mapping(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """ASGI's header pairs by lower-case name; repeated fields join (RFC 9110 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def base_of(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Scheme and host of a request's URL, from its Host header where that is a host, else from the socket."""
    host = headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else str(name)
    return f"{scope.get('scheme', 'http')}://{host}"


def forwarded_base(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Scheme and host that an ingress on this machine was asked under; empty where it does not say so.

    By `Forwarded` (RFC 7239), else by `X-Forwarded-Proto` and `X-Forwarded-Host`, the first value of each: the one
    nearest to the client. Nobody but this machine is believed.
    """
    client = (scope.get("client") or ("",))[0]
    if not (client.startswith("127.") or client == "::1"):
        return ""
    first = headers.get("forwarded", "").split(",")[0]
    pairs = (pair.partition("=") for pair in first.split(";"))
    told = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    proto = told.get("proto") or headers.get("x-forwarded-proto", "").split(",")[0].strip()
    host = told.get("host") or headers.get("x-forwarded-host", "").split(",")[0].strip()
    if not proto and not host:
        return ""
    scheme, _, own = base_of(scope, headers).partition("://")
    proto = proto.lower() if proto.lower() in ("http", "https") else scheme
    return f"{proto}://{host if _HOST.fullmatch(host) else own}"
