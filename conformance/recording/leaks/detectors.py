"""Reads a text for secrets by what they mean: tokens that decode, fields that are filled, addresses that exist."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

ADDRESS = "e-mail"
SECRET_WORDS = {
    "password": "password",
    "passwd": "password",
    "pwd": "password",
    "passphrase": "password",
    "secret": "secret",
    "apikey": "secret",
    "privatekey": "secret",
    "token": "token",
    "authorization": "token",
    "jwt": "token",
    "cookie": "cookie",
    "jsessionid": "cookie",
    "email": ADDRESS,
    "mail": ADDRESS,
    "username": "user name",
}
"""The last word (or last two, joined) of a field's name, and what such a field holds."""

_RUN = re.compile(r"[A-Za-z0-9_+/-]{16,}={0,2}")
_CLAIM = re.compile(rb'"(?:alg|typ|kid|iss|sub|aud|exp|iat|jti|azp|email|preferred_username|enc)"\s*:')
_PEM = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-{3,}[\s\\nr\"'+,]*[A-Za-z0-9+/=]{16}")
_PAIR = re.compile(
    r"""(?<![\w.-])(?P<o>["'`]?)(?P<name>[A-Za-z][A-Za-z0-9_-]{2,40})(?P=o)\s{0,4}(?::|=>?)\s{0,4}"""
    r"""(?:(?P<b>["'`])(?P<text>(?:(?!(?P=b))[^\\\n]|\\.){1,4000})(?P=b)|(?P<number>\d{4,})\b)"""
)
_FORM = re.compile(
    r"(?:(?<=[?&;\"'\s>=])|^)(?P<name>[A-Za-z][\w.-]{2,40})=(?P<text>[^\s&;\"'<>\\(){}\[\],$]{3,4000})(?![(.\[])", re.M
)
_HAR = re.compile(
    r'"name"\s*:\s*"(?P<name>[\w-]{3,60})"\s*,\s*"value"\s*:\s*"(?P<text>(?:[^"\\]|\\.)*)"'
    r'|"value"\s*:\s*"(?P<text2>(?:[^"\\]|\\.)*)"\s*,\s*"name"\s*:\s*"(?P<name2>[\w-]{3,60})"'
)
_COOKIES = re.compile(r'"cookies"\s*:\s*\[\s*\{[^}\]]*?"value"\s*:\s*"(?P<text>[^"]+)"')
_HEADER = re.compile(
    r"(?im)(?:^|[\s\"'>])(?P<name>(?:set-)?cookie|(?:proxy-)?authorization|x-api-key|x-auth-token): *"
    r"(?P<text>[^\r\n\"'<\\]{3,})"
)
_SCHEME = re.compile(r"\b(?:Bearer|Basic|bearer|basic)\s+(?P<text>[A-Za-z0-9._~+/-]{8,}=*)")
_SPOKEN = re.compile(
    r"""(?i)\b(?:password|passphrase|secret|token)\b(?:\s+(?:is|was|of|for\s+\S+))*\s*[:=]?\s+(?P<b>["'`]?)(?P<text>[^\s"'`]{4,})(?P=b)"""
)
_ADDRESS = re.compile(
    r"(?<![\w.+-])(?P<local>[A-Za-z0-9][\w.+-]{0,63})@(?P<host>(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,18})\b(?![\w/(-])"
)
_USERINFO = re.compile(r"[a-z][a-z0-9+]{1,15}://(?P<user>[^\s/:@\"'<>{}]+):(?P<text>[^\s/@\"'<>{}]+)@")
_ISSUED = re.compile(
    r"\b(?:gh[a-z]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{18,}|xox[a-z]-[A-Za-z0-9-]{12,}"
    r"|A[KS]IA[A-Z0-9]{16}\b|sk[_-](?:live|test|proj|ant)?[A-Za-z0-9_-]{24,}|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z]{30,}"
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{40,})"
)
_STAND_IN = re.compile(
    r"(?i)<[^<>]{1,60}>|&lt;[^<>&]{1,60}&gt;|%3c[\w-]{1,60}%3e|\$.{0,60}|\{.{0,200}\}?|%\(?\w+\)?s?|\*{2,}"
    r"|\.{3}|…|x{3,}|\[?(?:filtered|redacted|removed|hidden|masked)\]?"
    r"|(?:bearer|basic|token)( (\$.*|<.*|\{.*|\[.*|…|\.{3}|%.*|&lt;.*))?"
    r"|true|false|null|none|undefined|os\.environ.{0,60}|string|text|required|optional|conformance"
)
_FIELD = re.compile(
    r"(?i)(?:(?:access|refresh|id|client|user|api|auth|bearer|session|private|set|proxy)[_ -]?)?"
    r"(?:passw(?:or)?d|secret|token|key|cookie|e?mail|authorization|username|name|jwt)s?"
)
"""A field's name where its value is due, as schemas, forms and labels have it."""

_RESERVED = ("example", "invalid", "test", "localhost", "local", "internal")


def credible(name: str, text: str) -> bool:
    """Whether a field's value could be a secret: not a placeholder, a variable, a sentence, or its own name again."""
    if named(name) == "cookie" and "=" not in text and len(text) < 16:
        return False
    if named(name) == ADDRESS and not re.search(r"\w@\w", text):
        return False
    if named(name) == "token" and len(text.split()) > 4 and not re.search(r"[\d=]", text):
        return False
    bare = text.strip().strip("\\\"'")
    if len(bare) < 3 or bare[0] in "),;:]}" or _STAND_IN.fullmatch(bare) or _FIELD.fullmatch(bare):
        return False
    return re.sub(r"\W", "", bare).lower() != name.lower()


def named(name: str) -> str:
    """What a field of this name holds, "" for nothing secret. `id_token` and `idToken` count, `token_type` does not."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
    if not words or re.search(r"\s", name):
        return ""
    last = words[-1].lower()
    joined = (words[-2].lower() if len(words) > 1 else "") + last
    return SECRET_WORDS.get(last) or SECRET_WORDS.get(joined) or ("cookie" if last == "cookies" else "")


def decoded(run: str) -> bytes:
    """What a run of base64 or base64url holds; empty where it is none."""
    try:
        return base64.b64decode(run.rstrip("=").translate(_URLSAFE)[: len(run.rstrip("=")) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


_URLSAFE = str.maketrans("-_", "+/")


def tokens(text: str) -> Iterator[tuple[str, int]]:
    """JSON Web Tokens and parts of them: any run whose base64 holds a token's header or claims.

    A token of several parts is found once, at its first.
    """
    for match in _RUN.finditer(text):
        if match[0][0] == "e" and _CLAIM.search(decoded(match[0])) and not goes_on(text, match.start()):
            yield "JSON Web Token", match.start()


def goes_on(text: str, start: int) -> bool:
    """Whether a JSON Web Token began before `start` and goes on there."""
    return bool(re.search(r"eyJ[\w-]{8,}\.$", text[max(0, start - 2_000) : start]))


def keys(text: str) -> Iterator[tuple[str, int]]:
    """Private keys in PEM, with key material after the line that announces them."""
    yield from (("private key", match.start()) for match in _PEM.finditer(text))


def fields(text: str) -> Iterator[tuple[str, int]]:
    """Fields named for a secret that are filled: JSON, Python, YAML, forms, queries, header lines, HAR's pairs."""
    for pattern in (_PAIR, _FORM, _HEADER):
        for match in pattern.finditer(text):
            group = "number" if pattern is _PAIR and match["text"] is None else "text"
            if (kind := named(match["name"])) and credible(match["name"], match[group]):
                if pattern is _FORM and not re.search(r"[\d%!#*+^~-]", match[group]):
                    continue
                if pattern is _HEADER and kind == "cookie" and "=" not in match[group]:
                    continue
                yield kind, _start(match, group)
    for match in _HAR.finditer(text):
        name, group = (match["name"], "text") if match["name"] else (match["name2"], "text2")
        if (kind := named(name)) and credible(name, match[group]):
            yield kind, _start(match, group)
    yield from (("cookie", match.start("text")) for match in _COOKIES.finditer(text) if credible("", match["text"]))


def _start(match: re.Match[str], group: str) -> int:
    """Where a value begins: behind the scheme, where it has one, so that its token is found at one place."""
    scheme = re.match(r"(?i)(?:bearer|basic|token)\s+", match[group])
    return match.start(group) + (scheme.end() if scheme else 0)


def spoken(text: str) -> Iterator[tuple[str, int]]:
    """Credentials in prose and after an authentication scheme: `password is …`, `Bearer …`."""
    for match in _SCHEME.finditer(text):
        if re.search(r"\d|=$", match["text"]) and credible("", match["text"]):
            yield "token", match.start("text")
    for match in _SPOKEN.finditer(text):
        if (re.search(r"\d", match["text"]) or match["b"]) and credible("", match["text"]) and _plain(match["text"]):
            yield "password", match.start("text")


def _plain(text: str) -> bool:
    return not re.search(r"[(){}\[\]<>$=:|\\]|\w\.\w", text)


def addresses(text: str) -> Iterator[tuple[str, int]]:
    """E-mail addresses of hosts that may exist (RFC 2606 reserves names that do not), and URLs with a password."""
    for match in _ADDRESS.finditer(text):
        if not any(label in _RESERVED for label in match["host"].lower().split(".")) and match["local"] != "git":
            yield ADDRESS, match.start()
    for match in _USERINFO.finditer(text):
        if credible("", match["text"]):
            yield "URL with a password", match.start()


def issued(text: str) -> Iterator[tuple[str, int]]:
    """Keys whose issuer marks them with a prefix of its own."""
    yield from (("issued key", match.start()) for match in _ISSUED.finditer(text))


DETECTORS = (tokens, keys, fields, spoken, addresses, issued)
UNBROKEN = (tokens, keys, issued)
"""Those that need no words around a secret, and so may read text whose lines were joined."""
