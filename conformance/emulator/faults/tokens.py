"""Faults of authentication: a caller is let in who should not be, or kept out who should."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from conformance.emulator.faults.fault import each, fault, with_json
from conformance.emulator.openid import AUDIENCE
from conformance.emulator.state import AUTHENTICATE, RESPOND, Middleware, State, Step
from conformance.emulator.wire import Answer, Call

_WHOLE_SIGNATURE = 342
"""Characters of an RS256 signature by a key of 2,048 bits."""


def _admitting(known: Callable[[str, Call, State], bool]) -> Middleware:
    """Middleware that lets in who is refused, where `known` says so of the token."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status == 200:
            return answer
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        return Answer(200) if known(bearer, call, state) else answer

    return around


async def _not_each_time(call: Call, proceed: Step, state: State) -> Answer:
    """Of three calls of an operation one is refused, if its token was taken before."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    calls: dict[str, int] = state.memory.setdefault("calls", {})
    taken: set[str] = state.memory.setdefault("tokens taken", set())
    token = call.headers.get("authorization", "")
    calls[call.operation] = calls.get(call.operation, 0) + 1
    known = token in taken
    taken.add(token)
    if not known or calls[call.operation] % 3 != 2:
        return answer
    nobody = {name: value for name, value in call.headers.items() if name != "authorization"}
    return await proceed(replace(call, headers=nobody))


def _part(token: str, index: int) -> dict[str, Any]:
    """Header (0) or claims (1) of a token, unverified; empty where there are none."""
    try:
        value = orjson.loads(urlsafe_b64decode(token.split(".")[index].encode()))
    except (ValueError, IndexError):
        return {}
    return value if isinstance(value, dict) else {}


def _ours(token: str, state: State) -> bool:
    """Whether our own key has signed it."""
    try:
        jws.deserialize_compact(token, state.tokens.key, algorithms=["RS256"])
    except (JoseError, ValueError):
        return False
    return True


def _in_time(token: str) -> bool:
    claims, now = _part(token, 1), time.time()
    return bool(claims.get("nbf", claims.get("iat", 0)) <= now + 1 and now < claims.get("exp", 0))


def _signature(token: str) -> str:
    return token.rpartition(".")[2]


def _for_us(token: str) -> bool:
    return bool(_part(token, 1).get("aud") == AUDIENCE)


def _garbled(token: str, call: Call, state: State) -> bool:
    return bool(token) and not _part(token, 0) and not _prefixed(token, call, state)


def _truncated(token: str, call: Call, state: State) -> bool:
    return _part(token, 0).get("alg") == "RS256" and 0 < len(_signature(token)) < _WHOLE_SIGNATURE and _in_time(token)


def _prefixed(token: str, call: Call, state: State) -> bool:
    return any(state.tokens.is_good(token[start:]) for start in range(1, 40) if token[start : start + 2] == "ey")


def _basic(token: str, call: Call, state: State) -> bool:
    return call.headers.get("authorization", "").lower().startswith("basic ")


def _in_query(token: str, call: Call, state: State) -> bool:
    return any(state.tokens.is_good(value) for values in parse_qs(call.query).values() for value in values)


def _forged(token: str, call: Call, state: State) -> bool:
    whole = _part(token, 0).get("alg") == "RS256" and len(_signature(token)) >= _WHOLE_SIGNATURE
    return whole and not _ours(token, state) and _in_time(token) and _for_us(token)


def _unsigned(token: str, call: Call, state: State) -> bool:
    return str(_part(token, 0).get("alg", "")).lower() == "none"


def _expired(token: str, call: Call, state: State) -> bool:
    return _ours(token, state) and _for_us(token) and _part(token, 1).get("exp", 0) <= time.time()


def _early(token: str, call: Call, state: State) -> bool:
    claims = _part(token, 1)
    starts = max(claims.get("nbf", 0), claims.get("iat", 0))
    return _ours(token, state) and _for_us(token) and starts > time.time()


def _for_another(token: str, call: Call, state: State) -> bool:
    return _ours(token, state) and _in_time(token) and not _for_us(token) and _part(token, 1).get("typ") == "Bearer"


def _worthless(grant: str) -> Middleware:
    """Middleware that spoils the tokens of one grant: all but the first, so that a client can get in at all."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        asked: list[str] = []

        async def read(limit: int) -> bytes:
            body = await call.read(limit)
            asked.extend(parse_qs(body.decode("latin-1")).get("grant_type", []))
            return body

        answer = await proceed(replace(call, read=read))
        if call.operation or asked != [grant] or answer.status != 200:
            return answer
        given = state.memory[grant] = state.memory.get(grant, 0) + 1
        spoilt = {"access_token": state.tokens.refresh_token("sdk-client")}
        return answer if given == 1 and grant == "password" else with_json(answer, answer.json | spoilt)

    return around


FAULTS = (
    fault(
        "lets-in-without-a-token",
        "identity",
        "A request without Authorization is served.",
        {AUTHENTICATE: _admitting(lambda token, call, state: "authorization" not in call.headers and not call.query)},
        *each("refuses-a-request-without-a-token"),
    ),
    fault(
        "lets-in-garbled",
        "identity",
        "A token that is none is taken.",
        {AUTHENTICATE: _admitting(_garbled)},
        *each("refuses-a-garbled-token"),
    ),
    fault(
        "lets-in-truncated",
        "identity",
        "A token with half a signature is taken.",
        {AUTHENTICATE: _admitting(_truncated)},
        *each("refuses-a-truncated-token"),
    ),
    fault(
        "lets-in-prefixed",
        "identity",
        "A token is looked for anywhere in the header.",
        {AUTHENTICATE: _admitting(_prefixed)},
        *each("refuses-a-prefixed-token"),
    ),
    fault(
        "lets-in-basic",
        "identity",
        "Basic credentials are taken for a token.",
        {AUTHENTICATE: _admitting(_basic)},
        *each("refuses-basic-credentials"),
    ),
    fault(
        "lets-in-by-query",
        "identity",
        "A token in the query is taken.",
        {AUTHENTICATE: _admitting(_in_query)},
        *each("refuses-a-token-in-the-query"),
    ),
    fault(
        "lets-in-forged",
        "identity",
        "The signature of a token is not verified.",
        {AUTHENTICATE: _admitting(_forged)},
        *each("refuses-a-token-of-another-key"),
    ),
    fault(
        "lets-in-unsigned",
        "identity",
        "A token of alg none is taken.",
        {AUTHENTICATE: _admitting(_unsigned)},
        *each("refuses-an-unsigned-token"),
    ),
    fault(
        "lets-in-expired",
        "identity",
        "The expiry of a token is not looked at.",
        {AUTHENTICATE: _admitting(_expired)},
        *each("refuses-an-expired-token"),
    ),
    fault(
        "lets-in-early",
        "identity",
        "The start of a token's time is not looked at.",
        {AUTHENTICATE: _admitting(_early)},
        *each("refuses-a-token-not-yet-valid"),
    ),
    fault(
        "lets-in-anothers",
        "identity",
        "A token's audience is not looked at.",
        {AUTHENTICATE: _admitting(_for_another)},
        *each("refuses-a-token-for-another-audience"),
    ),
    fault(
        "good-tokens-not-each-time",
        "identity",
        "Of three calls of an operation one is refused although its token is good.",
        {AUTHENTICATE: _not_each_time},
        *each("takes-a-good-token-each-time"),
    ),
    fault(
        "password-tokens-are-worthless",
        "identity",
        "From its second use on, the password grant gives tokens that the API refuses.",
        {RESPOND: _worthless("password")},
        "workspaces.list.takes-a-token-of-the-password-grant",
    ),
    fault(
        "refreshed-tokens-are-worthless",
        "identity",
        "The refresh grant gives tokens that the API refuses.",
        {RESPOND: _worthless("refresh_token")},
        "workspaces.list.takes-a-token-of-the-refresh-grant",
    ),
    fault(
        "client-tokens-are-worthless",
        "identity",
        "The client credentials grant gives tokens that the API refuses.",
        {RESPOND: _worthless("client_credentials")},
        "pipelines.infer.takes-a-token-of-the-client-credentials-grant",
    ),
)
