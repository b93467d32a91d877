"""Answers from recordings whatever the program asks by: httpx, httpx2 or requests; every other way out is shut."""

from __future__ import annotations

import importlib
import importlib.util
import io
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from conformance.targets.recorded import NoRecordingError, Recorded


@contextmanager
def intercepted(recordings: Recorded) -> Iterator[None]:
    """While the block lasts nothing leaves this machine: what is asked is answered, or raises `NoRecordingError`.

    Connections to this machine itself, as to a database that the test has started, are let through.
    """
    import respx

    with pytest.MonkeyPatch.context() as patch, respx.MockRouter(assert_all_called=False, using="httpx") as router:
        recordings.route(router)
        if importlib.util.find_spec("requests"):
            _answer_requests(recordings, patch)
        if importlib.util.find_spec("httpx2"):
            _answer_httpx2(recordings, patch)
        _shut(patch)
        yield


def _answer_requests(recordings: Recorded, patch: pytest.MonkeyPatch) -> None:
    requests, urllib3 = importlib.import_module("requests"), importlib.import_module("urllib3")

    class Adapter(requests.adapters.HTTPAdapter):  # type: ignore[misc, name-defined]
        def send(self, request: Any, **_: Any) -> Any:
            asked = httpx.Request(request.method, request.url, headers=request.headers, content=_body(request.body))
            try:
                answer = recordings.answer(asked)
            except httpx.ReadError as error:
                raise requests.ConnectionError(str(error), request=request) from None
            made = urllib3.HTTPResponse(
                io.BytesIO(answer.read()), answer.headers, answer.status_code, preload_content=False
            )
            return self.build_response(request, made)

    patch.setattr(requests.Session, "get_adapter", lambda session, url: Adapter())


def _body(body: Any) -> bytes:
    """What requests is about to send: a text, bytes, a file or parts of a stream."""
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _body(body.read())
    return body if isinstance(body, bytes) else b"".join(body or ())


def _answer_httpx2(recordings: Recorded, patch: pytest.MonkeyPatch) -> None:
    httpx2 = importlib.import_module("httpx2")

    def answered(request: Any, content: bytes) -> Any:
        asked = httpx.Request(request.method, str(request.url), headers=list(request.headers.raw), content=content)
        try:
            answer = recordings.answer(asked)
        except httpx.ReadError as error:
            raise httpx2.ReadError(str(error), request=request) from None
        return httpx2.Response(answer.status_code, headers=list(answer.headers.raw), content=answer.read())

    async def answered_later(transport: Any, request: Any) -> Any:
        return answered(request, await request.aread())

    patch.setattr(httpx2.HTTPTransport, "handle_request", lambda self, request: answered(request, request.read()))
    patch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", answered_later)


def _shut(patch: pytest.MonkeyPatch) -> None:
    """No socket connects, sends or asks for a name beyond this machine."""
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), lambda address: address))
    patch.setattr(socket.socket, "sendto", _guarded(socket.socket.sendto, lambda *arguments: arguments[-1]))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        patch.setattr(socket, name, _named(getattr(socket, name)))


def _named(look_up: Any) -> Any:
    def named(host: Any, *arguments: Any, **options: Any) -> Any:
        _refuse_other_machines(host)
        return look_up(host, *arguments, **options)

    return named


def _guarded(method: Any, address_of: Any) -> Any:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_other_machines(address_of(*arguments)[0])
        return method(self, *arguments)

    return guarded


def _refuse_other_machines(host: Any) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "localhost")
    try:
        here = ipaddress.ip_address(name).is_loopback
    except ValueError:
        here = name == "localhost" or name.endswith(".localhost")
    if not here:
        raise NoRecordingError(
            f"This test is answered from recordings, and asked {name} by another way than httpx, httpx2 or requests. "
            "Nothing was sent."
        )
