"""Faults of identity: somebody is let in who should not be, or kept out who should."""

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

from conformance.emulator.faults.fault import Fault, each, with_json
from conformance.emulator.identity import AUDIENCE
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import AUTHENTICATE, RESPOND, Around, Step, World

KIND = "identity"
_WHOLE_SIGNATURE = 342
"""Characters of an RS256 signature by a key of 2,048 bits."""


def _admitting(known: Callable[[str, Call, World], bool]) -> Around:
    """Advice that lets in who is refused, where `known` says so of the token."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status == 200:
            return answer
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        return Answer(200) if known(bearer, call, world) else answer

    return around


async def _not_each_time(call: Call, proceed: Step, world: World) -> Answer:
    """Of three calls of an operation one is refused, if its token was taken before."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    calls: dict[str, int] = world.memory.setdefault("calls", {})
    taken: set[str] = world.memory.setdefault("tokens taken", set())
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


def _ours(token: str, world: World) -> bool:
    """Whether our own key has signed it."""
    try:
        jws.deserialize_compact(token, world.identity.key, algorithms=["RS256"])
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


def _garbled(token: str, call: Call, world: World) -> bool:
    return bool(token) and not _part(token, 0) and not _prefixed(token, call, world)


def _truncated(token: str, call: Call, world: World) -> bool:
    return _part(token, 0).get("alg") == "RS256" and 0 < len(_signature(token)) < _WHOLE_SIGNATURE and _in_time(token)


def _prefixed(token: str, call: Call, world: World) -> bool:
    return any(world.identity.is_good(token[start:]) for start in range(1, 40) if token[start : start + 2] == "ey")


def _basic(token: str, call: Call, world: World) -> bool:
    return call.headers.get("authorization", "").lower().startswith("basic ")


def _in_query(token: str, call: Call, world: World) -> bool:
    return any(world.identity.is_good(value) for values in parse_qs(call.query).values() for value in values)


def _forged(token: str, call: Call, world: World) -> bool:
    whole = _part(token, 0).get("alg") == "RS256" and len(_signature(token)) >= _WHOLE_SIGNATURE
    return whole and not _ours(token, world) and _in_time(token) and _for_us(token)


def _unsigned(token: str, call: Call, world: World) -> bool:
    return str(_part(token, 0).get("alg", "")).lower() == "none"


def _expired(token: str, call: Call, world: World) -> bool:
    return _ours(token, world) and _for_us(token) and _part(token, 1).get("exp", 0) <= time.time()


def _early(token: str, call: Call, world: World) -> bool:
    claims = _part(token, 1)
    starts = max(claims.get("nbf", 0), claims.get("iat", 0))
    return _ours(token, world) and _for_us(token) and starts > time.time()


def _for_another(token: str, call: Call, world: World) -> bool:
    return _ours(token, world) and _in_time(token) and not _for_us(token) and _part(token, 1).get("typ") == "Bearer"


def _worthless(grant: str) -> Around:
    """Advice that spoils the tokens of one grant: all but the first, so that a client can get in at all."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        asked: list[str] = []

        async def read(limit: int) -> bytes:
            body = await call.read(limit)
            asked.extend(parse_qs(body.decode("latin-1")).get("grant_type", []))
            return body

        answer = await proceed(replace(call, read=read))
        if call.operation or asked != [grant] or answer.status != 200:
            return answer
        given = world.memory[grant] = world.memory.get(grant, 0) + 1
        spoilt = {"access_token": world.identity.refresh_token("sdk-client")}
        return answer if given == 1 and grant == "password" else with_json(answer, answer.json | spoilt)

    return around


def _open(name: str, slug: str, sentence: str, known: Callable[[str, Call, World], bool]) -> Fault:
    return Fault(name, each(slug), KIND, sentence, {AUTHENTICATE: _admitting(known)})


FAULTS = (
    Fault(
        "lets-in-without-a-token",
        each("refuses-a-request-without-a-token"),
        KIND,
        "A request without Authorization is served.",
        {AUTHENTICATE: _admitting(lambda token, call, world: "authorization" not in call.headers and not call.query)},
    ),
    _open("lets-in-garbled", "refuses-a-garbled-token", "A token that is none is taken.", _garbled),
    _open("lets-in-truncated", "refuses-a-truncated-token", "A token with half a signature is taken.", _truncated),
    _open("lets-in-prefixed", "refuses-a-prefixed-token", "A token is looked for anywhere in the header.", _prefixed),
    _open("lets-in-basic", "refuses-basic-credentials", "Basic credentials are taken for a token.", _basic),
    _open("lets-in-by-query", "refuses-a-token-in-the-query", "A token in the query is taken.", _in_query),
    _open("lets-in-forged", "refuses-a-token-of-another-key", "The signature of a token is not verified.", _forged),
    _open("lets-in-unsigned", "refuses-an-unsigned-token", "A token of alg none is taken.", _unsigned),
    _open("lets-in-expired", "refuses-an-expired-token", "The expiry of a token is not looked at.", _expired),
    _open("lets-in-early", "refuses-a-token-not-yet-valid", "The start of a token's time is not looked at.", _early),
    _open(
        "lets-in-anothers", "refuses-a-token-for-another-audience", "A token's audience is not looked at.", _for_another
    ),
    Fault(
        "good-tokens-not-each-time",
        each("takes-a-good-token-each-time"),
        KIND,
        "Of three calls of an operation one is refused although its token is good.",
        {AUTHENTICATE: _not_each_time},
    ),
    Fault(
        "password-tokens-are-worthless",
        ("workspaces.list.takes-a-token-of-the-password-grant",),
        KIND,
        "From its second use on, the password grant gives tokens that the API refuses.",
        {RESPOND: _worthless("password")},
    ),
    Fault(
        "refreshed-tokens-are-worthless",
        ("workspaces.list.takes-a-token-of-the-refresh-grant",),
        KIND,
        "The refresh grant gives tokens that the API refuses.",
        {RESPOND: _worthless("refresh_token")},
    ),
    Fault(
        "client-tokens-are-worthless",
        ("pipelines.infer.takes-a-token-of-the-client-credentials-grant",),
        KIND,
        "The client credentials grant gives tokens that the API refuses.",
        {RESPOND: _worthless("client_credentials")},
    ),
)
