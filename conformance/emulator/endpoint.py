"""What every call goes through: method, token, body, the operation itself, and the way out."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from email.utils import formatdate
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

from starlette.types import Receive, Scope, Send

from conformance.emulator.state import AUTHENTICATE, RESPOND, State, Step
from conformance.emulator.wire import (
    ABORT,
    Answer,
    Call,
    ClientGoneError,
    RefusalError,
    base_of,
    forwarded_base,
    header_mapping,
)

_log = logging.getLogger(__name__)
_AT_ONCE = 64 * 1024
_SEND_SECONDS = 60.0
_CLOSE = {"connection": "close"}


class Endpoint:
    """An ASGI application that answers every call of one path; `methods` may be `*`.

    `limit` is the most bytes a body may have; 0 leaves it unread.
    """

    def __init__(
        self,
        state: State,
        operation: str,
        methods: tuple[str, ...],
        step: Step,
        *,
        secured: bool = True,
        limit: int = 0,
    ) -> None:
        self._state = state
        self._operation = operation
        self._methods = methods + (("HEAD",) if "GET" in methods else ())
        self._limit = limit
        self._secured = secured
        self._step = state.step(operation, _settled(step))
        self._authenticate = state.step(AUTHENTICATE, self._bearer)
        self._respond = state.step(RESPOND, self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._respond(self._call(scope, receive))
        except ClientGoneError:
            return
        except Exception:
            _log.exception("An operation of the emulated instance failed")
            answer = RefusalError(500, "Internal Server Error").answer()
        await _send(answer, send)

    def _call(self, scope: Scope, receive: Receive) -> Call:
        headers = header_mapping(scope["headers"])
        raw = scope.get("raw_path") or scope["path"].encode()
        path = cast(bytes, raw).decode("latin-1").partition("?")[0]
        forwarded, public = forwarded_base(scope, headers), self._state.settings.public_url
        return Call(
            operation=self._operation,
            method=scope["method"],
            path=path,
            headers=headers,
            query=scope["query_string"].decode("latin-1"),
            base=public or forwarded or base_of(scope, headers),
            forwarded_from="" if public else forwarded,
            parameters=_parameters(scope, path),
            abort=scope.get("extensions", {}).get(ABORT, lambda: None),
            read=_Body(receive, headers, self._state.settings.limits.body_seconds).read,
        )

    async def _answer(self, call: Call) -> Answer:
        try:
            if call.method not in self._methods and "*" not in self._methods:
                return self._other_method(call)
            if self._secured:
                refused = await self._authenticate(call)
                if refused.status != 200:
                    return refused
            body = await call.read(self._limit) if self._limit else b""
            return await self._step(replace(call, body=body, user=self._state.tokens.subject))
        except RefusalError as refusal:
            return refusal.answer()

    def _other_method(self, call: Call) -> Answer:
        allow = {"allow": ", ".join((*self._methods, "OPTIONS"))}
        if call.method == "OPTIONS":
            return Answer(204, media_type="", headers=allow)
        return RefusalError(405, "Method not allowed", allow).answer()

    async def _bearer(self, call: Call) -> Answer:
        """RFC 6750: a token in the Authorization header, and nowhere else."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._state.tokens.is_good(token.strip()):
            return Answer(200)
        error = ', error="invalid_token"' if scheme.lower() == "bearer" and token.strip() else ""
        return RefusalError(401, "Unauthorized", {"www-authenticate": f'Bearer realm="master"{error}'}).answer()


class _Body:
    """Reads one request's body, once."""

    def __init__(self, receive: Receive, headers: dict[str, str], seconds: float) -> None:
        self._receive = receive
        self._declared = headers.get("content-length", "")
        self._seconds = seconds

    async def read(self, limit: int) -> bytes:
        """The body. Raises `RefusalError` (413) past `limit` bytes, and (408) when it takes too long."""
        if self._declared.isascii() and self._declared.isdigit() and int(self._declared) > limit:
            raise _too_large(limit)
        message = await self._next()
        if not message.get("more_body", False):
            return _within(message.get("body", b""), limit)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._rest(message, limit)
        except TimeoutError:
            raise RefusalError(408, "Request timeout: the body did not arrive.", _CLOSE) from None

    async def _rest(self, message: dict[str, Any], limit: int) -> bytes:
        chunks = [message.get("body", b"")]
        size = len(chunks[0])
        while message.get("more_body", False):
            message = await self._next()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > limit:
                raise _too_large(limit)
        return b"".join(chunks)

    async def _next(self) -> dict[str, Any]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        return dict(message)


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> RefusalError:
    return RefusalError(413, f"Content too large: at most {limit} bytes.", _CLOSE)


def _settled(step: Step) -> Step:
    """The step with refusals as answers, so that middleware sees them as the client does."""

    async def settled(call: Call) -> Answer:
        try:
            return await step(call)
        except RefusalError as refusal:
            return refusal.answer()

    return settled


def _parameters(scope: Scope, path: str) -> dict[str, str]:
    """The path's variable part, split before it is decoded, so that a name may hold any character."""
    found = scope.get("path_params") or {}
    if "rest" not in found:
        return dict(found)
    segments = [unquote(segment) for segment in path.split("/infer/", 1)[-1].split("/")]
    return dict(zip(("deployment", "pipeline"), segments, strict=True)) if len(segments) == 2 else {}


async def _send(answer: Answer, send: Send) -> None:
    """Write the answer. Its own headers stand in place of those made here; an empty value leaves one out."""
    fields = {"content-type": answer.media_type, "date": _date(int(time.time()))}
    if answer.status != 204:
        fields["content-length"] = str(len(answer.body))
    headers = [(name.encode(), value.encode("latin-1")) for name, value in (fields | answer.headers).items() if value]
    # A client that does not read its answer must not keep it, and this task, for ever.
    async with asyncio.timeout(_SEND_SECONDS if len(answer.body) > _AT_ONCE else None):
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
