"""Leaks: what an answer must not show of the server's insides."""

from __future__ import annotations

import re

from conformance.api.operations import changing
from conformance.checks.rules import Findings, Rules, seen
from conformance.ledger import Ledger
from conformance.model import Exchange

_LONGEST = 200_000
"""Bytes of an answer that are searched; what is leaked stands in a refusal, which is short."""

_INSIDES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a stack trace",
        re.compile(
            r"Traceback \(most recent|stack backtrace|\bpanicked at\b|^\s+at [\w.$<>]+\(|"
            r"\.(?:rs|py|go|java|kt|ts|js):\d+|File \"[^\"]+\", line \d+",
            re.MULTILINE,
        ),
    ),
    (
        "a query or a database's message",
        re.compile(
            r"(?i:\bselect\s+(?:\*|count\(|distinct\b|[\w.\"]+(?:\s*,\s*[\w.\"]+)*)\s+from\s+[\w.\"]+\s+"
            r"(?:where|limit|order|group|join|inner|left|as)\b)|(?i:\bselect\s+\*\s+from\b)|"
            r"(?i:\binsert\s+into\s+[\w.\"]+\s*\()|(?i:\bupdate\s+[\w.\"]+\s+set\s+[\w.\"]+\s*=)|"
            r"(?i:\bdelete\s+from\s+[\w.\"]+\s+where\b)|"
            r"\bSELECT\b.{1,200}\bFROM\b|\bINSERT INTO\b|\bUPDATE\b.{1,80}\bSET\b|\bDELETE FROM\b|_[fp]key\b|"
            r"violates [\w-]+ constraint|[Ff]oreign[ -]key|syntax error at or near|relation \"[^\"]+\" does not|"
            r"(?:psycopg|sqlx|sqlite3?|diesel|postgres(?:ql)?)(?:[:.]|_error)",
            re.DOTALL,
        ),
    ),
    (
        "a path of the server's",
        re.compile(r"(?<![\w/:.])/(?:usr|home|var|opt|root|etc|tmp|srv|app|src|proc)/[\w.@/-]+|\b[A-Z]:\\\\?[\w.]+\\"),
    ),
    (
        "a secret",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY|\b\w+://[^/\s:@]+:[^/\s@]+@|"
            r"\b(?:password|secret|api[_-]?key)\b[\"']?\s*[=:]\s*[\"']?\w+",
            re.IGNORECASE,
        ),
    ),
)


_SECRETS = _INSIDES[-1:]
_MAIL = re.compile(rb"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def insides_shown(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A refusal shows no stack trace, query, path or secret (CWE-209), no answer a secret or the token it was sent.

    An answer of numbers names no person either; lists of what others made may (recorded: creators' addresses).
    """
    response = exchange.response
    if response is None or not response.body_known or exchange.status is None or not exchange.request.body_known:
        return
    found = _repeated_token(exchange) or _address(exchange) or _in_headers(exchange)
    refused = exchange.status >= 400
    if not found and (refused or exchange.operation != "pipelines.infer"):
        found = _inside(exchange, _INSIDES if refused else _SECRETS)
    if refused or found:
        expected = "an answer without the server's insides"
        yield seen(exchange, "keeps-its-insides-to-itself", not found, expected, found)


def _inside(exchange: Exchange, kinds: tuple[tuple[str, re.Pattern[str]], ...]) -> str:
    """The kind of insides shown, and where; what the request itself contained is no leak."""
    assert exchange.response is not None
    text = exchange.response.body[:_LONGEST].decode("utf-8", "replace").replace("\\n", "\n").replace('\\"', '"')
    sent = exchange.request.body[:_LONGEST].decode("utf-8", "replace") + exchange.request.path
    for kind, pattern in kinds:
        match = pattern.search(text)
        if match and match[0] not in sent:
            return f"{kind}: {match[0].strip()[:80]}"
    return ""


def _in_headers(exchange: Exchange) -> str:
    """The kind of insides that a header shows, and in which; a header may name paths, which are URLs' own."""
    assert exchange.response is not None
    for name, value in exchange.response.headers.fields:
        for kind, pattern in (one for one in _INSIDES if one[0] != "a path of the server's"):
            match = pattern.search(value)
            if match and match[0] not in exchange.request.path:
                return f"{kind}, in its header {name}"
    return ""


def _repeated_token(exchange: Exchange) -> str:
    assert exchange.response is not None
    token = exchange.request.headers.get("authorization", "").rpartition(" ")[2]
    if len(token) <= 20:
        return ""
    if token.encode("utf-8", "replace") in exchange.response.body[:_LONGEST]:
        return "the token of the request"
    named = [name for name, value in exchange.response.headers.fields if token in value]
    return f"the token of the request, in its header {named[0]}" if named else ""


def _address(exchange: Exchange) -> str:
    """That an answer of numbers holds somebody's address, which is not told again here."""
    assert exchange.response is not None
    if exchange.operation not in changing():
        return ""
    sent = exchange.request.body[:_LONGEST]
    found = _MAIL.findall(exchange.response.body[:_LONGEST])
    return "an e-mail address" if any(one not in sent for one in found) else ""
