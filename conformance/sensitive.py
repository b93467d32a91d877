"""What is sensitive: the names of fields that hold secrets, and how secrets look where no field names them."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
