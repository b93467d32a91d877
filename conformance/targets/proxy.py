"""A proxy that spoils answers: faults that others wrote, each a small Python file, before an instance that has none.

A file's docstring says what is wrong; its `match(request)` says of which requests, and its `change(request, response)`
gives the answer in place of the instance's. Both take the values of `conformance.model`; `changed` makes new ones.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json as json_module
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx

from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import Limits
from conformance.errors import UsageError
from conformance.model import Headers, Request, Response

_OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})
"""Header fields that a proxy does not pass on (RFC 9110 7.6.1)."""

_SECONDS = 60.0


@dataclass(frozen=True)
class ProxyFault:
    """A fault as a file: its `name`, the first sentence of its docstring, and what it does."""

    name: str
    sentence: str
    match: Callable[[Request], bool]
    change: Callable[[Request, Response], Response]


def spoilings(folder: Path) -> tuple[ProxyFault, ...]:
    """The faults in a folder, one a file, by name. Raises UsageError where there are none, or one cannot be loaded."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Give --proxy the folder with your faults, one Python file each.")
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    if not files:
        raise UsageError(f"{folder} contains no fault: it has no Python file.")
    return tuple(spoiling(file) for file in files)


def spoiling(file: Path) -> ProxyFault:
    """The fault in a file. Raises UsageError where the file cannot be run, or lacks `match` or `change`."""
    spec = importlib.util.spec_from_file_location(f"fault_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"The fault {file.name} cannot be loaded: {type(error).__name__}: {error}.") from None
    parts = [getattr(module, name, None) for name in ("match", "change")]
    if not all(map(callable, parts)):
        raise UsageError(
            f"The fault {file.name} lacks match(request) or change(request, response). Write both functions in it."
        )
    sentence = (module.__doc__ or file.stem).strip().partition("\n")[0]
    return ProxyFault(file.stem, sentence, *parts)  # type: ignore[arg-type]


_KEPT: Any = object()


def changed(
    response: Response,
    *,
    status: int | None = None,
    json: Any = _KEPT,
    body: bytes | None = None,
    headers: Mapping[str, str | None] | None = None,
) -> Response:
    """The response with another status, JSON or body; a header that is None is left out."""
    content = response.body if body is None else body
    content = content if json is _KEPT else json_module.dumps(json).encode()
    given = {name.lower(): value for name, value in (headers or {}).items()}
    fields = [(name, value) for name, value in response.headers.fields if name.lower() not in given]
    fields += [(name, value) for name, value in given.items() if value is not None]
    return replace(response, status=status or response.status, body=content, headers=Headers(fields))


@contextmanager
def proxied(upstream: str, fault: ProxyFault) -> Iterator[str]:
    """The URL of a proxy on loopback that passes everything to `upstream`, and spoils what the fault matches."""
    listener = listening_socket("127.0.0.1", 0)
    ready = Event()
    application: Any = _Proxy(upstream, fault)
    server = Server(application, ready.set, Limits())
    thread = Thread(target=partial(server.run, sockets=[listener]), daemon=True)
    thread.start()
    ready.wait(_SECONDS)
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(10)


class _Proxy:
    """An ASGI application."""

    def __init__(self, upstream: str, fault: ProxyFault) -> None:
        self._upstream, self._fault = upstream.rstrip("/"), fault
        self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        request = await self._request(scope, receive)
        response = await self._passed_on(request)
        if self._fault.match(request):
            response = await asyncio.to_thread(self._fault.change, request, response)
        await _answer(response, send, head=request.method == "HEAD")

    async def _request(self, scope: Any, receive: Any) -> Request:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        fields = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        return Request(scope["method"], f"{self._upstream}{path}{'?' if query else ''}{query}", fields, body)

    async def _passed_on(self, request: Request) -> Response:
        fields = [pair for pair in request.headers.fields if pair[0].lower() not in _OF_ONE_HOP]
        answer = await self._client.request(request.method, request.url, headers=fields, content=request.body)
        got = [pair for pair in answer.headers.multi_items() if pair[0].lower() not in _OF_ONE_HOP]
        return Response(answer.status_code, Headers(got), answer.content)


async def _answer(response: Response, send: Any, *, head: bool) -> None:
    fields = [(name, value) for name, value in response.headers.fields if name.lower() != "content-length" or head]
    if not head and response.status not in (204, 304):
        fields.append(("content-length", str(len(response.body))))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    await send({"type": "http.response.start", "status": response.status or 500, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})
