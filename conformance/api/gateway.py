"""Answers that the API did not write: those of an ingress, a rate limiter, a firewall or a proxy before it.

The API is known by what its recorded answers look like: errors are `{msg, code}`, those of inference name an `error`,
some have an empty body, and the frameworks it is written with (axum, Envoy's token filter) refuse in plain text. What
stands in front of it answers in HTML, and by statuses that the API itself has no use for.
"""

from __future__ import annotations

from conformance.model import Exchange, Response

_UNAUTHORIZED = 401
"""Who may call is asked by the token filter before the API, which is part of it."""

_TOO_MANY = 429
_BETWEEN = frozenset({502, 504})
_STANDING_BEFORE = frozenset({403, 405, 407, 408, 411, 413, 414, 421, 431, 503, *range(494, 500), *range(520, 531)})
"""Statuses by which what stands before a server refuses, or tells that the server is away."""

_WRITERS = (
    ("<center>nginx", "nginx"),
    ("<center>openresty", "openresty"),
    ("<center>awselb", "an AWS load balancer"),
    ("<center>cloudflare", "Cloudflare"),
    ("cloudflare", "Cloudflare"),
    ("microsoft-azure-application-gateway", "an Azure gateway"),
    ("squid", "squid"),
    ("tinyproxy", "tinyproxy"),
    ("no server is available to handle this request", "haproxy"),
    ("request forbidden by administrative rules", "haproxy"),
    ("<html><body><h1>4", "haproxy"),
    ("<html><body><h1>5", "haproxy"),
    ("<address>apache", "Apache"),
    ("varnish", "Varnish"),
    ("incapsula", "Imperva"),
    ("akamai", "Akamai"),
    ("the requested url was rejected", "a firewall"),
    ("default backend - 404", "an ingress without a backend"),
    ("404 page not found", "an ingress without a route"),
    ("no healthy upstream", "Envoy"),
    ("upstream connect error", "Envoy"),
    ("upstream request timeout", "Envoy"),
)
"""What pages of those programs hold, in lower case, and whose they are."""

_SHOWN_BYTES = 4096


def is_gateways(exchange: Exchange) -> bool:
    """Whether an answer is not the API's own. A success always is, and what is not wholly known."""
    return exchange.response is not None and bool(writer_of(exchange.response, exchange.operation))


def writer_of(response: Response, operation: str | None = None) -> str:
    """Who wrote an answer that the API did not write (`nginx`, `a gateway`), empty where it is the API's own."""
    status = response.status
    if status is None or status < 300 or status == _UNAUTHORIZED or not response.body_known:
        return ""
    if status == _TOO_MANY:
        return _named(response) or "a rate limiter"
    if response.is_json and _is_of_the_api(response.json):
        return ""
    known = _named(response)
    html = response.media_type == "text/html" or response.body.lstrip()[:1] == b"<"
    routed = operation == "pipelines.infer" and not response.body  # 404 and 503 without a body are recorded
    if known and (html or status >= 500 or status == 404):
        return known
    if status in _BETWEEN or (status in _STANDING_BEFORE and html) or (status == 503 and not routed):
        return "a gateway"
    return ""


def _is_of_the_api(body: object) -> bool:
    rows = body if isinstance(body, list) else [body]
    named = [isinstance(row, dict) and ({"msg", "code"} <= row.keys() or "error" in row) for row in rows]
    return bool(named) and all(named)


def _named(response: Response) -> str:
    page = response.body[:_SHOWN_BYTES].lower().decode("latin-1")
    return next((writer for sign, writer in _WRITERS if sign in page), "")


def is_throttled(response: Response) -> bool:
    """Whether an answer says to come again later and that nothing was done: 429, and a gateway's own 503."""
    return response.status == _TOO_MANY or (response.status == 503 and bool(writer_of(response, "pipelines.infer")))
