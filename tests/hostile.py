"""A server that stands before an instance and plays one hostile part, on chosen operations, as raw bytes."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ELSEWHERE = "127.0.0.2"
"""Another host, which is this machine too."""

SHOUT = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e<script>alert(1)</script>"
"""Takes hold of a terminal, or of a page, that shows it as it is."""

Send = Callable[[bytes], None]
Part = Callable[[Send, bytes], None]
"""Plays one answer: given a way to send bytes, and the body that the instance would have answered."""


def _head(status: str = "200 OK", length: int | None = None, **fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Date: Mon, 23 Nov 2026 12:00:00 GMT"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines += [f"Content-Length: {length}"] if length is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _whole(body: bytes, status: str = "200 OK", **fields: str) -> bytes:
    return _head(status, len(body), **fields) + body


def never_ends(send: Send, body: bytes) -> None:
    send(_head(Transfer_Encoding="chunked"))
    while True:
        send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def says_nothing(send: Send, body: bytes) -> None:
    time.sleep(120)


def drips_its_head(send: Send, body: bytes) -> None:
    for byte in _whole(body):
        send(bytes([byte]))
        time.sleep(1)


def drips_its_body(send: Send, body: bytes) -> None:
    send(_head(length=100_000))
    while True:
        send(b" ")
        time.sleep(0.5)


def is_truncated(send: Send, body: bytes) -> None:
    send(_head(length=len(body) + 100) + body)
    raise ConnectionAbortedError


def says_less_than_it_sends(send: Send, body: bytes) -> None:
    send(_head(length=max(0, len(body) - 5)) + body)


def _bomb() -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(deflate.compress(bytes(1 << 20)) for _ in range(256)), deflate.flush()])


_BOMB = _bomb()


def is_a_bomb(send: Send, body: bytes) -> None:
    send(_whole(_BOMB, Content_Encoding="gzip"))


def is_two_gigabytes(send: Send, body: bytes) -> None:
    send(_head(length=2 << 30))
    for _ in range(2 << 10):
        send(b"[" * (1 << 20))


def nests_deeply(send: Send, body: bytes) -> None:
    send(_whole(b"[" * 100_000 + b"]" * 100_000))


def nests_as_far_as_can_be_read(send: Send, body: bytes) -> None:
    send(_whole(b'{"status":' * 700 + b"1" + b"}" * 700))


def is_wide(send: Send, body: bytes) -> None:
    send(_whole(b"[" + b"{}," * 3_500_000 + b"{}]"))


def is_not_utf8(send: Send, body: bytes) -> None:
    send(_whole(b'{"status": "\xff\xfe\x80"}'))


def holds_a_lone_surrogate(send: Send, body: bytes) -> None:
    send(_whole(rb'{"status": "\ud800", "details": ["\udfff"], "engines": [], "engine_lbs": []}'))


def resets(send: Send, body: bytes) -> None:
    raise ConnectionResetError


def is_no_http(send: Send, body: bytes) -> None:
    send(b"\x16\x03\x01 hello\r\n\r\n")


def has_a_giant_head(send: Send, body: bytes) -> None:
    send(_head(X_Giant="x" * 5_000_000))


def writes_to_the_terminal(send: Send, body: bytes) -> None:
    said = dict.fromkeys(("msg", "code", "status", "url", "id"), SHOUT)
    send(_whole(json.dumps(said).encode(), X_Hostile="\x1b[2J<script>"))


def asks_to_wait_for_ever(send: Send, body: bytes) -> None:
    send(_whole(b"{}", "429 Too Many Requests", Retry_After="99999999999999999999"))


PARTS: tuple[Part, ...] = (
    never_ends, says_nothing, drips_its_head, drips_its_body, is_truncated, says_less_than_it_sends, is_a_bomb,
    is_two_gigabytes, nests_deeply, nests_as_far_as_can_be_read, is_wide, is_not_utf8, holds_a_lone_surrogate, resets,
    is_no_http, has_a_giant_head, writes_to_the_terminal, asks_to_wait_for_ever,
)  # fmt: skip


@dataclass
class Hostile:
    """Where the server listens, and what it, and the host next to it, were sent."""

    url: str
    elsewhere: str
    paths: list[str] = field(default_factory=list)
    authorization: str = ""
    seen_elsewhere: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


def redirects(hostile: Hostile) -> Part:
    """307 to the same path on another host."""
    return lambda send, body: send(_whole(b"", "307 Temporary Redirect", Location=f"{hostile.elsewhere}/v1/api/x"))


def repeats_our_token(hostile: Hostile) -> Part:
    """A 500 that shows the Authorization it was sent, in text, in a header and in a trace."""

    def play(send: Send, body: bytes) -> None:
        said = json.dumps({"msg": f"Traceback: token={hostile.authorization}", "code": 500}).encode()
        send(_whole(said, "500 Internal Server Error", X_Debug=hostile.authorization))

    return play


def hands_out_a_foreign_url(hostile: Hostile) -> Part:
    """An inference URL on another host, otherwise as the instance gave it."""

    def play(send: Send, body: bytes) -> None:
        url = json.loads(body).get("url") if body.startswith(b"{") else None
        moved = {"url": hostile.elsewhere + urlsplit(url).path} if url else json.loads(body)
        send(_whole(json.dumps(moved).encode(), "200 OK" if url else "404 Not Found"))

    return play


@contextmanager
def hostile_server(  # noqa: C901  two small servers
    instance: str,
    part: Part | Callable[[Hostile], Part],
    paths: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
) -> Iterator[Hostile]:
    """A server before `instance` that plays `part` where the path holds one of `paths` (all where none is given)."""
    hostile = Hostile("", "")
    hosts = urlsplit(instance)

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hostile.paths.append(self.path)
            hostile.authorization = self.headers.get("Authorization", "")
            answer, content = self._forwarded(body)
            if "/auth/" in self.path or (paths and not any(path in self.path for path in paths)):
                self.wfile.write(_relayed(answer, content))
                return
            self.close_connection = True
            try:
                played(self.wfile.write, content)
                self.close_connection = False
            except ConnectionResetError:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            except OSError:
                return

        def _forwarded(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
            connection = http.client.HTTPConnection(hosts.hostname or "", hosts.port, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer, content

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                return

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Next(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hostile.seen_elsewhere.append((self.path, dict(self.headers.items()), body))
            self.wfile.write(_whole(b"[]"))

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        setattr(Front, f"do_{method}", Front.do_POST)
        setattr(Next, f"do_{method}", Next.do_POST)
    with _serving("127.0.0.1", Front, tls) as port, _serving(ELSEWHERE, Next, None) as next_port:
        hostile.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        hostile.elsewhere = f"http://{ELSEWHERE}:{next_port}"
        played: Part = part if part in PARTS else part(hostile)  # type: ignore[assignment, call-arg, arg-type]
        yield hostile


def _relayed(answer: http.client.HTTPResponse, content: bytes) -> bytes:
    fields = [(name, value) for name, value in answer.getheaders() if name.lower() != "connection"]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {answer.status} {answer.reason}\r\n{head}\r\n".encode("latin-1") + content


@contextmanager
def _serving(host: str, handler: Any, tls: ssl.SSLContext | None) -> Iterator[int]:
    server = ThreadingHTTPServer((host, 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *arguments: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody vouches for."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "self-signed.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
