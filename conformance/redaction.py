"""What is never written: credentials and personal data become placeholders such as `<jwt-1>` before anything is kept.

Equal secrets get equal placeholders within one `Redaction`, so that "the same token twice" stays visible; the number
says only in which order they were met. Nothing of a secret can be computed from its placeholder.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from conformance.model import Exchange, Headers, Request, Response

KEPT_HEADERS = frozenset(
    (
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "age",
        "allow",
        "cache-control",
        "connection",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "date",
        "etag",
        "expect",
        "expires",
        "format",
        "host",
        "keep-alive",
        "last-modified",
        "link",
        "location",
        "origin",
        "pragma",
        "retry-after",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "www-authenticate",
        "x-content-type-options",
        "x-envoy-upstream-service-time",
        "x-frame-options",
        "x-request-id",
    )
)
"""Header fields whose values are evidence; of any other field only the name is kept."""

NAMES = {
    "password": r"pass(?:word|wd|phrase|code)|pwd",
    "secret": r"secret(?:[_-]?(?:access[_-]?)?key)?|private[_-]?key|api[_-]?key|signing[_-]?key",
    "token": r"token|jwt|authorization|assertion|device[_-]?code",
    "cookie": r"cookies?|session[_-]?(?:id|state)|csrf|jsessionid",
    "person": r"e-?mail(?:[_-]?address)?|user[_-]?name|(?:given|family|first|last|full|display|nick)[_-]?name",
}
"""How fields that hold a secret are called, by kind; a name counts where it ends so (`idToken`, not `token_type`)."""

FIELDS = tuple(
    (kind, re.compile(rf"(?i)(?:.*[\W_]|.*(?-i:[a-z](?=[A-Z])))?(?:{names})")) for kind, names in NAMES.items()
)
HARMLESS = re.compile(
    r"(?i)|(?-i:\$\{?[A-Z][A-Z0-9_]*\}?)|\*+|<[\w -]+>|\[\w+\]|null|none|true|false"
    r"|(?:bearer|basic) (?:<[\w-]+>|(?-i:\$[A-Z_]+))"
)


def _named(kind: str, least: str) -> re.Pattern[str]:
    """`name: value` as JSON, a Python repr, a form, a query or prose write it; unquoted values match `least` times."""
    quotes = r"(?:\\*[\"'`]|%22)"
    bare = r"(?:[^\s&\"'`\\,;<>{}()\[\]%]|%(?!2[26c]|7d)[0-9a-f]{2})"
    return re.compile(
        rf"(?i)(?:{NAMES[kind]})(?:{quotes}?\s*(?:[:=]|%3[ad])\s*(?:%20)*|\s+(?:is|was)\s+|\s+(?={quotes}))"
        rf"(?:(?P<q>{quotes})(?P<quoted>(?:\\.|[^\\])*?)(?P=q)|(?P<bare>{bare}{least}))"
    )


@dataclass(frozen=True)
class Rule:
    """A secret recognised by how it looks: one of `hints` stands in the lower-case text, then `pattern`'s group is it.

    `telling` patterns do not occur by chance, so they are looked for in binary bodies too.
    """

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    telling: bool = False


RULES = (
    Rule(
        "pem-key",
        ("private key",),
        re.compile(
            r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            r"(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            r"|(?:[A-Za-z0-9+/=\s]|\\[nr])*))",
            re.DOTALL,
        ),
        telling=True,
    ),
    Rule("jwt", ("eyj",), re.compile(r"(eyJ[\w-]{6,}(?:\.|%2[eE])[\w=-]{4,}(?:(?:\.|%2[eE])[\w=-]*){0,3})"), True),
    Rule("jwt", ("eyj",), re.compile(r"(eyJ(?:hbGci|0eXAi|raWQi|leHAi|pYXQi|qdGki|pc3Mi|zdWIi)[\w-]{4,}={0,2})"), True),
    Rule("jwt", ("zxlk",), re.compile(r"(ZXlK[A-Za-z0-9+/_-]{20,}={0,2})"), True),
    Rule(
        "token",
        ("bearer", "basic", "token", "digest", "negotiate"),
        re.compile(
            r"(?i)\b(?:bearer|basic|token|negotiate|digest)(?:\s|%20|\+)+"
            r"((?=[a-z._~+/-]*[0-9=]|[\w.~+/-]{20})[\w.~+/-]{8,}=*)(?![\w\"=])"
        ),
    ),
    Rule("credentials", ("://",), re.compile(r"://([^/\s:@\"'<>]+:[^/\s@\"'<>]+)@")),
    Rule("cookie", ("cookie:",), re.compile(r"(?i)\b(?:set-)?cookie:\s*([^\r\n\"'<>]+=[^\r\n\"'<>]+)")),
    Rule(
        "header",
        ('"value"',),
        re.compile(rf'(?i)"name"\s*:\s*"[^"]*(?:{"|".join(NAMES.values())})"\s*,\s*"value"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    ),
    Rule("password", ("pass", "pwd"), _named("password", "+")),
    Rule("secret", ("secret", "key"), _named("secret", "{6,}")),
    Rule("token", ("token", "jwt", "authorization", "assertion", "code"), _named("token", "{12,}")),
    Rule("cookie", ("cookie", "session", "csrf"), _named("cookie", "{6,}")),
    Rule("person", ("mail", "name"), _named("person", "+")),
    Rule(
        "email",
        ("@", "%40"),
        re.compile(r"((?:[A-Za-z0-9._+-]|%2[bB]){1,64}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})"),
        telling=True,
    ),
    Rule(
        "token",
        ("gh", "glpat-", "xox", "akia", "asia", "sk-", "sk_", "aiza", "hf_", "npm_", "pypi-"),
        re.compile(
            r"(?<![A-Za-z0-9])(gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}"
            r"|(?:AKIA|ASIA)[0-9A-Z]{16}|sk[-_][\w-]{20,}|AIza[\w-]{30,}|hf_\w{20,}|npm_\w{30,}|pypi-[\w-]{40,})"
        ),
        telling=True,
    ),
)


Message = TypeVar("Message", Request, Response)

_ENVIRONMENT = {"CONFORMANCE_PASSWORD": "password", "CONFORMANCE_CLIENT_SECRET": "secret", "CONFORMANCE_TOKEN": "token"}
_DOCUMENTED = "conformance"  # the emulated instance's default user, password and client secret: public


class Redaction:
    """Replaces secrets by placeholders and remembers which secret got which. Safe to share between threads."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._lock = threading.Lock()
        self._given: dict[tuple[str, str], str] = {}
        self._count: dict[str, int] = {}
        self._known: dict[str, str] = {}
        for name, kind in _ENVIRONMENT.items():
            self.remember(environment.get(name, ""), kind)

    def remember(self, secret: str, kind: str = "secret") -> None:
        """Redact this very value wherever it stands from now on, also percent-encoded, JSON-escaped or in base64."""
        if len(secret) < 4 or secret == _DOCUMENTED or HARMLESS.fullmatch(secret):
            return
        encoded = base64.b64encode(secret.encode()).decode()
        spellings = (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded)
        with self._lock:
            self._known.update(dict.fromkeys(spellings, kind))

    def placeholder(self, kind: str, secret: str) -> str:
        """The stand-in of a secret: the same for the same secret; what is a placeholder already stays as it is."""
        if HARMLESS.fullmatch(secret):
            return secret
        with self._lock:
            if (kind, secret) not in self._given:
                self._count[kind] = self._count.get(kind, 0) + 1
                self._given[kind, secret] = f"<{kind}-{self._count[kind]}>"
            return self._given[kind, secret]

    def text(self, text: str) -> str:
        """Any text (a log line, an error, HTML, JSON) with its secrets replaced and everything else as it was."""
        for known, kind in list(self._known.items()):
            if known in text:
                text = text.replace(known, self.placeholder(kind, known))
        lower = text.lower()
        for rule in RULES:
            if any(hint in lower for hint in rule.hints):
                text = rule.pattern.sub(partial(self._stand_in, rule.kind), text)
        return text

    def _stand_in(self, kind: str, match: re.Match[str]) -> str:
        group = next(number for number in range(match.re.groups, 0, -1) if match[number] is not None)
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        return match[0][:start] + self.placeholder(kind, match[group]) + match[0][end:]

    def value(self, value: Any) -> Any:
        """A JSON value redacted by its field names and its texts; numbers, keys and structure stay."""
        if isinstance(value, dict):
            name = value.get("name")  # as HAR writes its pairs: {"name": ..., "value": ...}
            pair: dict[str, str] = {"value": name} if isinstance(name, str) else {}
            return {self.text(key): self._field(pair.get(str(key), str(key)), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self._string(value) if isinstance(value, str) else value

    def _string(self, text: str) -> str:
        """JSON inside a JSON string (`metadata.last_model` is such a one) stays JSON."""
        if text[:1] in ("{", "["):
            try:
                inner = json.loads(text)
            except ValueError:
                return self.text(text)
            return text if (redacted := self.value(inner)) == inner else json.dumps(redacted, separators=(",", ":"))
        return self.text(text)

    def _field(self, key: str, value: Any) -> Any:
        kind = next((kind for kind, names in FIELDS if names.fullmatch(key)), "")
        if kind and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return self.placeholder(kind, str(value))
        if kind and isinstance(value, list):
            return [self._field(key, item) for item in value]
        if kind and isinstance(value, dict):
            return {self.text(name): self._field(key, item) for name, item in value.items()}
        return self.value(value)

    def headers(self, headers: Headers) -> Headers:
        """Every field's name; the value only of those that are evidence. Authorization keeps its scheme."""
        return Headers((name, self._header(name.lower(), value)) for name, value in headers.fields)

    def _header(self, name: str, value: str) -> str:
        if name in KEPT_HEADERS:
            return self.text(value)
        if name in ("authorization", "proxy-authorization"):
            scheme, _, credentials = value.strip().partition(" ")
            kind = "jwt" if credentials.startswith("eyJ") else "token"
            return f"{scheme} {self.placeholder(kind, credentials)}" if credentials else self.placeholder(kind, scheme)
        return self.placeholder("cookie" if "cookie" in name else "header", value)

    def url(self, url: str) -> str:
        """A URL without user and password, and without secrets in its query."""
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        kept = [(name, self._field(name, value)) for name, value in pairs]
        query = parts.query if kept == pairs else urlencode(kept, safe="<>")
        host = parts.netloc.rpartition("@")[2]
        netloc = (
            f"{self.placeholder('credentials', parts.netloc.rpartition('@')[0])}@{host}"
            if "@" in parts.netloc
            else host
        )
        return urlunsplit((parts.scheme, netloc, self.text(parts.path), self.text(query), self.text(parts.fragment)))

    def body(self, body: bytes, content_type: str) -> bytes | None:
        """A body of the same format without its secrets; None where that cannot be had and the body must go."""
        media_type = content_type.split(";")[0].strip().lower()
        if media_type.startswith("multipart/") and (boundary := re.search(r'boundary="?([^";]+)', content_type)):
            return self._multipart(body, b"--" + boundary[1].encode())
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return None if self._betrays(body.decode("latin-1")) else body
        if media_type == "application/x-www-form-urlencoded":
            pairs = parse_qsl(text, keep_blank_values=True)
            return urlencode([(name, self._field(name, value)) for name, value in pairs], safe="<>").encode()
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text).encode()
        redacted = self.value(value)
        return body if redacted == value else json.dumps(redacted, ensure_ascii=False, separators=(",", ":")).encode()

    def _multipart(self, body: bytes, delimiter: bytes) -> bytes:
        parts = []
        for part in body.split(delimiter):
            head, blank, content = part.partition(b"\r\n\r\n")
            kind = re.search(rb"(?i)content-type:[ \t]*([^\r\n]+)", head)
            kept = self.body(content.removesuffix(b"\r\n"), kind[1].decode("latin-1") if kind else "") or b""
            parts.append(
                self.text(head.decode("latin-1")).encode("latin-1") + blank + kept + (b"\r\n" if blank else b"")
            )
        return delimiter.join(parts)

    def _betrays(self, text: str) -> bool:
        """Whether a binary body, read as Latin-1, holds a secret in the clear. Short "addresses" are noise."""
        found = (match for rule in RULES if rule.telling for match in rule.pattern.finditer(text))
        return any(known in text for known in self._known) or any(len(match[0]) >= 12 for match in found)

    def exchange(self, exchange: Exchange) -> Exchange:
        """The same exchange, fit to be kept: URL, headers, bodies, parameters and failure redacted."""
        request, response = exchange.request, exchange.response
        body = self.body(request.body, request.headers.get("content-type", ""))
        known = request.body_known and body is not None
        kept = self._message(replace(request, url=self.url(request.url), body_known=known), body or b"")
        if response is not None:
            body = self.body(response.body, response.headers.get("content-type", ""))
            response = self._message(
                replace(response, body_known=response.body_known and body is not None), body or b""
            )
        parameters = {name: self.text(value) for name, value in exchange.parameters.items()}
        return replace(
            exchange, request=kept, response=response, parameters=parameters, failure=self.text(exchange.failure)
        )

    def _message(self, message: Message, body: bytes) -> Message:
        """A message whose Content-Length says the length of what is kept, where it was true before."""
        length = str(len(message.body))
        fields = [
            (name, str(len(body)) if name.lower() == "content-length" and value == length else value)
            for name, value in self.headers(message.headers).fields
        ]
        return replace(message, headers=Headers(fields), body=body)


DEFAULT = Redaction()
"""The one redaction of this process: reports, recordings and errors of one run share its placeholders."""


def redact_text(text: str) -> str:
    """A text without secrets, by the process's own redaction."""
    return DEFAULT.text(text)


def redact_value(value: Any) -> Any:
    """A JSON value without secrets, by the process's own redaction; field names say what is one."""
    return DEFAULT.value(value)


def redact_exchange(exchange: Exchange) -> Exchange:
    """An exchange without secrets, by the process's own redaction."""
    return DEFAULT.exchange(exchange)


def remember(secret: str, kind: str = "secret") -> None:
    """From now on redact this value wherever it stands; called by whoever obtains a credential."""
    DEFAULT.remember(secret, kind)
