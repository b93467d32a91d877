"""What HTTP and JSON require of every answer, and of requests that are of no operation.

A request beside an operation (another method, a longer path) says by the label `about:<operation id>` which one it is
beside, since it is of none itself.
"""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from typing import Any

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger
from conformance.model import Exchange, Finding, Mark, Purpose, Response

_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_LARGEST_TEXT = 262_144
_CUT_SHORT = re.compile(r"received \d+ bytes, expected \d+")
"""What a failure says of an answer that ended before its Content-Length did."""


def about(exchange: Exchange) -> str:
    """The operation, or area, that a request is of or beside; empty where it says neither."""
    return exchange.operation or next(iter(Purpose.ABOUT.words(exchange.labels)), "")


def _beside(exchange: Exchange, slug: str, held: bool, expected: str) -> Finding:
    operation = about(exchange)
    return Finding(f"{operation}.{slug}", held, expected, "" if held else came(exchange), (exchange,), operation)


def allow_is_listed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A 405 lists the methods that are allowed, POST among them (RFC 9110 15.5.6)."""
    response = exchange.response
    if exchange.status == 405 and response is not None and response.headers_known and about(exchange):
        listed = [method.strip() for method in response.headers.get("allow", "").split(",")]
        held = "POST" in listed
        operation = about(exchange)
        actual = "" if held else f"Allow: {response.headers.get('allow', 'none')}"
        yield Finding(
            f"{operation}.names-the-methods-it-knows", held, "Allow with POST", actual, (exchange,), operation
        )


def other_method(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Another method than POST is not known, whatever its body: nothing is said of what stands in it."""
    if Mark.METHOD in exchange.labels and exchange.status is not None:
        held = exchange.status in (401, 403, 404, 405, 501)
        yield _beside(exchange, "serves-no-other-method", held, "status 405")


def head_and_options(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """HEAD and OPTIONS are answered without a server error, and HEAD without a body (RFC 9110 9.3.2, 9.3.7)."""
    if Mark.HEAD_OR_OPTIONS in exchange.labels:
        bare = exchange.request.method != "HEAD" or exchange.response is None or not exchange.response.body
        held = exchange.status is not None and exchange.status < 500 and bare
        yield _beside(exchange, "answers-head-and-options", held, "an answer below 500, to HEAD without a body")


def unknown_path(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A path that goes on behind an operation's is not found."""
    if Mark.BEYOND in exchange.labels and exchange.status is not None:
        yield _beside(exchange, "is-found-at-its-own-path-only", exchange.status == 404, "status 404")


def nowhere(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A path that no operation has is not found."""
    if Mark.NOWHERE in exchange.labels and exchange.status is not None:
        yield _beside(exchange, "unknown-paths-are-404", exchange.status == 404, "status 404")


def documentation(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A Swagger UI is served, as HTML."""
    if Mark.DOCUMENTATION in exchange.labels and exchange.status is not None:
        response = exchange.response
        page = response is not None and response.media_type == "text/html" and b"swagger" in response.body.lower()
        yield _beside(exchange, "documentation-is-served", exchange.ok and page, "200 with the page of a Swagger UI")


def content_length(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Content-Length is the body's length, and stands without Transfer-Encoding (RFC 9112 6.2, 6.3)."""
    response = exchange.response
    short = _CUT_SHORT.search(exchange.failure) if response is None and exchange.operation else None
    if short:
        yield seen(exchange, "declares-the-length-it-has", False, "a body as long as its Content-Length", short[0])
    if response is None or not response.headers_known or not response.body_known or not exchange.operation:
        return
    declared = response.headers.get("content-length")
    if declared is None or "content-encoding" in response.headers:
        return
    held = declared == str(len(response.body)) and "transfer-encoding" not in response.headers
    yield seen(
        exchange, "declares-the-length-it-has", held, "one framing, with the body's length",
        f"Content-Length {declared}, Transfer-Encoding {response.headers.get('transfer-encoding', 'none')}, "
        f"{len(response.body)} bytes",
    )  # fmt: skip


def json_text(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """JSON is UTF-8 without a byte order mark, and names nothing twice in one object (RFC 8259 4, 8.1)."""
    response = exchange.response
    if response is None or not response.body_known or len(response.body) > _LARGEST_TEXT or not exchange.operation:
        return
    if response.media_type != "application/json" or not response.is_json:
        return
    wrong = _wrong_charset(response) or _wrong_text(response)
    yield seen(exchange, "writes-its-json-in-utf-8", not wrong, "JSON in UTF-8, each name once", wrong)


def _wrong_charset(response: Response) -> str:
    """A charset that is not UTF-8's name; JSON has no such parameter, and UTF-8's is harmless (RFC 8259 8.1, 11)."""
    declared = _CHARSET.search(response.headers.get("content-type", ""))
    named = declared[1].lower() if declared else "utf-8"
    return "" if named in ("utf-8", "utf8", "us-ascii") else f"UTF-8 that is declared to be {named}"


def _wrong_text(response: Response) -> str:
    try:
        text = response.body.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    if text.startswith("\ufeff"):
        return "a byte order mark"
    twice: list[str] = []

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice.append(next(name for name in names if names.count(name) > 1))
        return found

    json.loads(text, object_pairs_hook=distinct)
    return f"the name '{twice[0]}' twice in one object" if twice else ""


def dated(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An answer below 500 has a Date that can be read (RFC 9110 6.6.1)."""
    response = exchange.response
    if response is None or not response.headers_known or not exchange.operation or (exchange.status or 500) >= 500:
        return
    date = response.headers.get("date", "")
    yield seen(exchange, "says-when-it-answered", _is_date(date), "a Date as RFC 9110 5.6.7 has it", date or "no Date")


def _is_date(text: str) -> bool:
    try:
        parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return False
    return text.endswith("GMT")
