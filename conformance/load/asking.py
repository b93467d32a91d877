"""What users ask, rows of which no two in flight are alike, and the connection that carries it."""

from __future__ import annotations

import itertools
import json
import ssl
import time
import zlib
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from select import POLLIN, poll
from urllib.parse import urlsplit

from gevent import Timeout, socket
from geventhttpclient.response import HTTPParseError, HTTPResponse

from conformance.api.client import ARROW_FILE, PANDAS_RECORDS, arrow_file
from conformance.api.operations import INFER
from conformance.load.plan import ARROW_ROWS, Plan
from conformance.model import Exchange, Headers, Mark, Request, Response
from conformance.targets.reception import BROKE_OFF, NO_CONNECTION, Bounds
from conformance.targets.target import USER_AGENT

_VARIETY = 64
"""Rows asked in one form and size before the first is asked again: what was asked before is judged in less time."""

_ECHO = 10
"""An answer holds what was sent, at up to ten times its size."""

_IDLE_SECONDS = 1.0
"""A connection kept for longer may have been closed on the other side, and is looked at before it is used."""

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Question:
    """A request whose rows no other question has. `name` is what Locust's table calls it."""

    number: int
    rows: int
    name: str
    request: Request


class Deck:
    """Questions, dealt so that none is in flight twice: two answers that were swapped are never alike."""

    def __init__(self, plan: Plan, worker: int) -> None:
        self._model, self._url = plan.model, plan.url
        self._seed = abs(plan.settings.seed) * 1_000_000_007 + worker * 1_000_003
        self._numbers = itertools.count(1)
        kinds = [(size, form) for form in plan.shape.forms for size in plan.shape.batches]
        self._turn = itertools.cycle(kinds)
        self._free: dict[tuple[int, str], deque[Question]] = defaultdict(deque)
        self._made: dict[tuple[int, str], int] = defaultdict(int)
        self._kinds: dict[int, tuple[int, str]] = {}

    def draw(self) -> Question:
        """The next question, which is nobody else's until it is put back."""
        kind = next(self._turn)
        free = self._free[kind]
        if self._made[kind] < max(2, _VARIETY // kind[0]) or not free:
            self._made[kind] += 1
            return self._new(kind)
        return free.popleft()

    def put_back(self, question: Question) -> None:
        """It was answered."""
        self._free[self._kinds[question.number]].append(question)

    def _new(self, kind: tuple[int, str]) -> Question:
        size, form = kind
        number = next(self._numbers)
        self._kinds[number] = kind
        rows, column = self._model.rows(size, self._seed + number), self._model.column
        if form == ARROW_ROWS:
            body, media, accept = arrow_file(column, rows), ARROW_FILE, ARROW_FILE
        else:
            body, media, accept = json.dumps([{column: row} for row in rows]).encode(), PANDAS_RECORDS, "*/*"
        headers = Headers({"Content-Type": media, "Accept": accept, "User-Agent": USER_AGENT})
        name = f"infer {size} row{'' if size == 1 else 's'} ({form})"
        return Question(number, size, name, Request("POST", self._url, headers, body))


class Wire:
    """One connection, kept from one request to the next; nothing is sent twice.

    The answer is read by the parser that Locust's FastHttpUser reads by, without what that does beside.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None, bounds: Bounds) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if tls else 80)
        self._tls, self._bounds = tls, bounds
        self._line = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept-Encoding: identity\r\n"
        self._socket: socket.socket | None = None
        self._used = 0.0

    def ask(self, request: Request, authorization: str, number: str) -> Exchange:
        """The exchange, one without an answer where none came in time."""
        fields = (*request.headers.fields, ("Authorization", authorization), ("X-Request-Id", number))
        head = self._line + "".join(f"{name}: {value}\r\n" for name, value in fields)
        message = f"{head}Content-Length: {len(request.body)}\r\n\r\n".encode() + request.body
        started, began = time.time(), time.perf_counter()
        response, failure = self._answer(message, self._bounds.bytes + _ECHO * len(request.body))
        if response is not None:
            response = replace(response, elapsed=time.perf_counter() - began)
        asked = Request(request.method, request.url, Headers(fields), request.body)
        return Exchange(
            asked, response, INFER, started=started, ended=time.time(), failure=failure,
            labels=frozenset({Mark.UNDER_LOAD}),
        )  # fmt: skip

    def close(self) -> None:
        """Give the connection back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _answer(self, message: bytes, most: int) -> tuple[Response | None, str]:
        limit = Timeout(self._bounds.seconds)
        limit.start()
        try:
            connection = self._connected()
        except Timeout as caught:
            if caught is not limit:
                raise
            return None, f"{NO_CONNECTION} (timed out)"
        except OSError as error:
            return None, f"{NO_CONNECTION} ({error.strerror or type(error).__name__})"
        finally:
            limit.close()
        limit = Timeout(self._bounds.seconds)
        limit.start()
        try:
            connection.sendall(message)
            answer = _received(connection, most)
        except Timeout as caught:
            self.close()
            if caught is not limit:
                raise
            return None, f"no answer came within {self._bounds.seconds:g} s"
        except (OSError, HTTPParseError, EOFError) as error:
            self.close()
            return None, f"{BROKE_OFF} ({type(error).__name__})"
        except BaseException:
            self.close()  # a user that is stopped in the midst: what is still to come is not the next one's
            raise
        finally:
            limit.close()
        self._used = time.monotonic()
        if answer.should_close():
            self.close()
        return _response(answer), ""

    def _connected(self) -> socket.socket:
        if self._socket is not None and time.monotonic() - self._used > _IDLE_SECONDS and _closed(self._socket):
            self.close()
        if self._socket is None:
            plain = socket.create_connection((self._host, self._port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._tls.wrap_socket(plain, server_hostname=self._host) if self._tls else plain
        return self._socket


def _closed(connection: socket.socket) -> bool:
    """Whether something can be read where nothing is due: the other side has gone."""
    waiting = poll()
    waiting.register(connection.fileno(), POLLIN)
    return bool(waiting.poll(0))


def _received(connection: socket.socket, most: int) -> HTTPResponse:
    answer = HTTPResponse("POST")
    while not (answer.message_complete and answer.get_code() >= 200):
        data = connection.recv(_CHUNK)
        if not data:
            if answer.headers_complete and not answer.message_complete and answer.content_length is None:
                answer.feed(b"")  # the end of the connection is the end of the body
                if answer.message_complete:
                    break
            raise EOFError
        answer.feed(data)
        if len(answer._body_buffer) > most:
            raise EOFError
    return answer


def _response(answer: HTTPResponse) -> Response:
    body, headers = bytes(answer._body_buffer), Headers([(name, str(value)) for name, value in answer.items()])
    if headers.get("content-encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
        body = zlib.decompressobj(47).decompress(body, _ECHO * len(body) + _CHUNK)
    return Response(answer.get_code(), headers, body)
