"""The leak gate: finds credentials and personal data that survived in any file: text, folder, wheel or other archive.

It is the second pair of eyes behind the redaction, and shares no code, name list or pattern with it: where the one
errs, the other must not err alike.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import html
import os
import re
import tarfile
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote_plus

from conformance.errors import UsageError

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


_DEPTH = 3
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt"\'\\/]))')
_BREAK = re.compile(r"""["']?[ \t]*[\\+,]?[ \t]*(?:\r?\n|\\r?\\n)[ \t]*(?:\|[ \t]*)?["']?""")
_TWICE = re.compile(r'\\+(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt"\'/])?')
"""What escaping leaves of a text in two goes: backslashes with what they escape."""

_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+|\+")
_ENTITY = re.compile(r"&#?\w{1,32};")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


def leaks(text: str, known: tuple[str, ...] = (), depth: int = 0) -> Iterator[tuple[str, int]]:
    """Kind and offset of each secret in `text`, each secret once; inside an encoding the offset is the encoding's.

    `known` are values that must not stand anywhere, for instance this process's own credentials.
    """
    told: set[int] = set()
    for kind, at in _found(text, known, depth):
        if at not in told:
            told.add(at)
            yield kind, at


def _found(text: str, known: tuple[str, ...], depth: int) -> Iterator[tuple[str, int]]:
    tokens: set[int] = set()
    for reading in _readings(text):
        for detector in DETECTORS:
            for kind, at in detector(reading.text):
                tokens.add(reading.place(at))
                yield kind, reading.place(at)
        for value in known:
            if value in reading.text:
                yield "known credential", reading.place(reading.text.find(value))
    joined = _rewritten(text, _BREAK, lambda match: "")
    if joined.text != text:
        yield from ((kind, joined.place(at)) for detector in UNBROKEN for kind, at in detector(joined.text))
    if depth < _DEPTH:
        for match in _BASE64.finditer(text):
            if match.start() not in tokens and not goes_on(
                text, match.start()
            ):  # what a token that was found says inside is the same secret
                yield from ((kind, match.start()) for kind in _inside(match, text, known, depth))


@dataclass(frozen=True)
class _Reading:
    """A text read in another way; `starts` and `offsets` say from where in it which place of the original follows."""

    text: str
    starts: list[int]
    offsets: list[int]

    def place(self, at: int) -> int:
        """Where in the original a place of this reading lies."""
        index = bisect_right(self.starts, at) - 1
        return at - self.starts[index] + self.offsets[index]


def _rewritten(text: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> _Reading:
    pieces, starts, offsets, length, end = list[str](), [0], [0], 0, 0
    for match in pattern.finditer(text):
        changed = change(match)
        pieces += [text[end : match.start()], changed]
        length += match.start() - end + len(changed)
        end = match.end()
        starts.append(length)
        offsets.append(end)
    return _Reading("".join([*pieces, text[end:]]), starts, offsets)


def _readings(text: str) -> Iterator[_Reading]:
    yield _Reading(text, [0], [0])
    if "\\" in text:
        yield (once := _rewritten(text, _ESCAPE, _character))
        if "\\" in once.text:
            yield _rewritten(text, _TWICE, lambda match: _ESCAPE.sub(_character, _ESCAPE.sub(_character, match[0])))
    if re.search(r"%[0-9a-fA-F]{2}", text):
        yield _rewritten(text, _PERCENT, lambda match: unquote_plus(match[0]))
    if "&#" in text or "&quot;" in text or "&commat;" in text:
        yield _rewritten(text, _ENTITY, lambda match: html.unescape(match[0]))


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _CONTROL.get(match[3], match[3])


def _inside(match: re.Match[str], text: str, known: tuple[str, ...], depth: int) -> Iterator[str]:
    """Secrets in what a run of base64 holds. A run at the edge of the text may have lost its beginning."""
    for shift in range(4 if match.start() == 0 else 1):
        inner = decoded(match[0][shift:])
        if (
            len(inner) < 12
            or not inner[:64].isascii()
            or sum(byte < 32 and byte not in b"\t\r\n" for byte in inner[:64])
        ):
            continue
        plain = inner.decode("utf-8", "replace")
        yield from (kind for kind, _ in leaks(plain, known, depth + 1))
        before = text[max(0, match.start() - 12) : match.start()].lower()
        if "basic" in before and re.fullmatch(r"[^\s:]+:\S+", plain):
            yield "Basic credentials"


_WINDOW = 4 << 20
_OVERLAP = 64 << 10
_SKIPPED = {".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".tox", ".venv"}
_CREDENTIALS = ("CONFORMANCE_PASSWORD", "CONFORMANCE_CLIENT_SECRET", "CONFORMANCE_TOKEN")
_PUBLIC = "conformance"  # what the emulated instance's user, password and client secret are called in its manual

_LICENCE = re.compile(r"(?i)licen[cs]e|notice|copying|authors")
"""Files of third parties that must travel as they are, and name their authors on purpose."""


@dataclass(frozen=True, order=True)
class Leak:
    """A secret that survived: the file (with the entry, in an archive), the line, and its kind; never the secret."""

    file: str
    line: int
    kind: str


def scan(paths: Iterable[Path]) -> Iterator[Leak]:
    """Every leak in the files and folders given. Raises UsageError for what is not there or cannot be unpacked."""
    known = tuple(value for name in _CREDENTIALS if len(value := os.environ.get(name, "")) > 3 and value != _PUBLIC)
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist; name a file or a folder to scan.")
        for file in sorted(_files(path)):
            try:
                with file.open("rb") as stream:
                    yield from _opened(str(file), stream, known)
            except OSError as error:
                raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from error


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, names, files in os.walk(path):
        names[:] = sorted(set(names) - _SKIPPED)
        yield from (Path(folder) / name for name in files)


def _opened(name: str, stream: IO[bytes], known: tuple[str, ...], depth: int = 0) -> Iterator[Leak]:
    """One file, or each member of an archive (a wheel is a zip, a source distribution a compressed tar)."""
    start = stream.read(4)
    stream.seek(0)
    try:
        if start == b"PK\x03\x04" and depth < 3:
            yield from _zip(name, stream, known, depth)
        elif start[:2] == b"\x1f\x8b" and depth < 3:
            yield from _compressed(name, stream, known, depth)
        else:
            yield from _text(name, stream, known)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise UsageError(f"{name} cannot be unpacked: {error}. Scan it unpacked, or make it anew.") from error


def _zip(name: str, stream: IO[bytes], known: tuple[str, ...], depth: int) -> Iterator[Leak]:
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as member:
                    yield from _opened(f"{name}!{entry.filename}", member, known, depth + 1)


def _compressed(name: str, stream: IO[bytes], known: tuple[str, ...], depth: int) -> Iterator[Leak]:
    if not name.endswith((".tar.gz", ".tgz")):
        with gzip.open(stream) as inner:
            yield from _text(name, inner, known)
        return
    with tarfile.open(fileobj=stream) as archive:
        for entry in archive:
            if (member := archive.extractfile(entry)) is not None:
                yield from _opened(f"{name}!{entry.name}", member, known, depth + 1)


def _text(name: str, stream: IO[bytes] | gzip.GzipFile, known: tuple[str, ...]) -> Iterator[Leak]:
    """A stream read in windows that overlap, so that a secret on an edge is whole in one of them."""
    line, tail, seen = 1, b"", set()
    while chunk := stream.read(_WINDOW):
        window = tail + chunk
        text = _decoded(window)
        for kind, at in leaks(text, known):
            leak = Leak(name, line + text.count("\n", 0, at), kind)
            if leak not in seen and not (kind == ADDRESS and _LICENCE.search(name)):
                seen.add(leak)
                yield leak
        tail = window[-_OVERLAP:]
        line += window.count(b"\n") - tail.count(b"\n")


def _decoded(window: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if window.startswith(mark):
            return window.decode(encoding, "replace")
    return window.decode("utf-8", "replace")
