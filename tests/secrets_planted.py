"""Thirty secrets of ten kinds, three spellings each, made anew for every run so that none stands in a file."""

from __future__ import annotations

import base64
import json
import random
import string
from urllib.parse import quote

_LETTERS = string.ascii_letters + string.digits


def word(draw: random.Random, length: int, letters: str = _LETTERS) -> str:
    """A random word with at least one digit."""
    return "".join(draw.choices(letters, k=length - 1)) + draw.choice(string.digits)


def jwt(draw: random.Random, **claims: object) -> str:
    """A token of the right form; its signature is noise."""
    parts = ({"alg": "RS256", "typ": "JWT"}, {"iss": "https://idp.acme.dev", "sub": word(draw, 9), **claims})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, word(draw, 86)])


def private_key(draw: random.Random, name: str) -> str:
    """A PEM block of the right form that is no key."""
    lines = [word(draw, 64) for _ in range(8)]
    return "\n".join([f"-----BEGIN {name}PRIVATE KEY-----", *lines, f"-----END {name}PRIVATE KEY-----"])


def planted(seed: int = 0) -> dict[str, list[tuple[str, str]]]:
    """By kind: (the secret, a text that holds it as such texts do)."""
    draw = random.Random(seed)
    tokens = [jwt(draw), jwt(draw, name="Ada Example"), jwt(draw)]
    keys = [private_key(draw, name) for name in ("", "RSA ", "EC ")]
    passwords = ["!" + word(draw, 12), word(draw, 14), word(draw, 10)]
    cookies = [word(draw, 24) for _ in range(3)]
    mails = [f"{word(draw, 8).lower()}@acme{n}.dev" for n in range(3)]
    access = [word(draw, 40) for _ in range(3)]
    refresh = [word(draw, 40) for _ in range(3)]
    secrets = [word(draw, 32) for _ in range(3)]
    basics = [base64.b64encode(f"someone:{word(draw, 12)}".encode()).decode() for _ in range(3)]
    issued = ["ghp_" + word(draw, 36), "AKIA" + "".join(draw.choices(string.ascii_uppercase + string.digits, k=16)),
              "glpat-" + word(draw, 20)]  # fmt: skip
    return {
        "JSON Web Token": [
            (tokens[0], f"Authorization: Bearer {tokens[0]}"),
            (tokens[1], f"the token {tokens[1]} has expired"),
            (tokens[2], f'{{"wrapped": "{base64.b64encode(tokens[2].encode()).decode()}"}}'),
        ],
        "private key": [
            (keys[0].splitlines()[3], keys[0]),
            (keys[1].splitlines()[3], json.dumps({"key": keys[1]})),
            (keys[2].splitlines()[3], f"cannot load {keys[2]!r}"),
        ],
        "password": [
            (passwords[0], json.dumps({"username": "<person-1>", "password": passwords[0]})),
            (quote(passwords[1]), f"grant_type=password&password={quote(passwords[1])}&client_id=sdk-client"),
            (passwords[2], f"login failed: password '{passwords[2]}' is wrong"),
        ],
        "cookie": [
            (cookies[0], f"Cookie: KEYCLOAK_SESSION={cookies[0]}; theme=dark"),
            (cookies[1], f"Set-Cookie: sid={cookies[1]}; HttpOnly; Path=/"),
            (cookies[2], json.dumps({"name": "Cookie", "value": f"sid={cookies[2]}"})),
        ],
        "e-mail": [
            (mails[0], f"created by {mails[0]} yesterday"),
            (mails[1], json.dumps({"created_by": mails[1]})),
            (quote(mails[2]), f"https://api.acme.dev/v1/api/users?owner={quote(mails[2])}"),
        ],
        "access token": [
            (access[0], json.dumps({"access_token": access[0], "expires_in": 60})),
            (access[1], f"https://api.acme.dev/callback?access_token={access[1]}&state=1"),
            (access[2], f"Authorization: Bearer {access[2]}"),
        ],
        "refresh token": [
            (refresh[0], json.dumps({"refresh_token": refresh[0]})),
            (refresh[1], f"grant_type=refresh_token&refresh_token={refresh[1]}"),
            (refresh[2], f"{{'refresh_token': '{refresh[2]}'}}"),
        ],
        "client secret": [
            (secrets[0], json.dumps({"client_secret": secrets[0]})),
            (secrets[1], f"client_id=api-client&client_secret={secrets[1]}"),
            (secrets[2], json.dumps(json.dumps({"clientSecret": secrets[2]}))),
        ],
        "credentials": [
            (basics[0], f"Authorization: Basic {basics[0]}"),
            (passwords[2] + "x", f"https://someone:{passwords[2]}x@api.acme.dev/v1/api"),
            (basics[2], json.dumps({"headers": {"authorization": f"Basic {basics[2]}"}})),
        ],
        "issued key": [
            (issued[0], f"pushed with {issued[0]}"),
            (issued[1], f"AWS answered: {issued[1]} is disabled"),
            (issued[2], f"https://ci.acme.dev/?private_token={issued[2]}"),
        ],
    }
