"""Header fields: the media type of an answer, and what HTTP requires beside a status."""

from __future__ import annotations

from conformance.checks.rules import Findings, Rules, seen
from conformance.ledger import Ledger
from conformance.model import Exchange


def success_media_type(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A success's content type is one the document declares for it."""
    response = exchange.response
    if response is None or not response.ok or not response.headers_known:
        return
    declared = rules.media_types(exchange.operation or "", response.status or 0)
    held = not declared or response.media_type in declared
    expected = "Content-Type " + " or ".join(sorted(declared))
    yield seen(exchange, "answers-in-its-described-media-type", held, expected,
               response.headers.get("content-type", "no Content-Type"))  # fmt: skip


def not_for_everybody(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What was answered to somebody's token is not marked as good for whoever asks next (RFC 9111 3.5)."""
    response = exchange.response
    if response is None or not response.headers_known or "authorization" not in exchange.request.headers:
        return
    said = response.headers.get("cache-control", "")
    parts = [part.partition("=") for part in said.split(",")]
    directives = {name.strip().lower(): value.strip(' "') for name, _, value in parts}
    shared = "public" in directives or directives.get("s-maxage", "0") != "0"
    held = not shared or not {"private", "no-store", "no-cache"}.isdisjoint(directives)
    expected = "no Cache-Control that lets a shared cache keep it"
    yield seen(exchange, "is-not-for-shared-caches", held, expected, f"Cache-Control: {said}")


_PLAIN = frozenset({"", "application/json", "application/problem+json", "text/plain"})


def stranger_is_told_plainly(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A 401 is JSON, plain text or nothing: clients read it, and a page of HTML is for people."""
    response = exchange.response
    if response is not None and exchange.status == 401 and response.headers_known and response.body_known:
        html = response.body.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))
        held = response.media_type in _PLAIN and not html
        actual = response.headers.get("content-type", "HTML")
        yield seen(exchange, "tells-strangers-in-json-or-text", held, "JSON, plain text or no body", actual)


def unauthorized_is_challenged(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A 401 says how to authenticate (RFC 9110 15.5.2, RFC 6750 3)."""
    if exchange.response is not None and exchange.status == 401 and exchange.response.headers_known:
        challenge = exchange.response.headers.get("www-authenticate", "")
        held = challenge.lower().startswith("bearer")
        yield seen(
            exchange, "challenges-the-unauthorized", held, "WWW-Authenticate: Bearer …", challenge or "no challenge"
        )
