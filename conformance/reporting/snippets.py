"""One request as a person sends it again: made fit to be shown, then a bash command with curl or a script with httpx.

The token is always `$TOKEN`, or the environment's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from conformance import redaction
from conformance.api import multipart
from conformance.model import Exchange, Purpose, Request
from conformance.spec.document import BASE_PROFILE

_SHOWN_HEADERS = (
    "accept",
    "access-control-request-method",
    "content-encoding",
    "content-type",
    "format",
    "if-match",
    "if-none-match",
    "origin",
    "prefer",
    "x-http-method-override",
)
"""Headers that may change an answer; every other one is the HTTP library's, or may hold what is not to be shown."""

_IMPLIED = {("accept", "*/*")}
_CREDENTIAL = re.compile(r"(?i)([?&](?:access_token|token|bearer|authorization|jwt)=)[^&#]*")
_TEXT_LIMIT, BINARY_LIMIT = 8_192, 3_072
"""Bytes of a body that still read well in a command; beyond, the command names a file."""

OPEN, CLOSE = "\ue000", "\ue001"
PLACEHOLDER = re.compile(f"{OPEN}(\\w+){CLOSE}")


def placeholder(name: str) -> str:
    """Text that the renderers turn into a reference to the variable `name`."""
    return f"{OPEN}{name}{CLOSE}"


@dataclass(frozen=True)
class Access:
    """How a run reached its target: the release it judged, and the PEM files that it was given.

    `ca_file` holds authorities, `client_cert` a certificate of its own, and `client_key` that certificate's key.
    """

    profile: str = BASE_PROFILE
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""

    @property
    def files(self) -> dict[str, str]:
        """The files that were given, by the name of their option without dashes."""
        named = {"ca_file": self.ca_file, "client_cert": self.client_cert, "client_key": self.client_key}
        return {name: file for name, file in named.items() if file}

    @property
    def options(self) -> str:
        """The same files as options of this package's commands, each after a space."""
        return "".join(f" --{name.replace('_', '-')} {shlex.quote(file)}" for name, file in self.files.items())


_ACCESS: ContextVar[Access] = ContextVar("access", default=Access())  # noqa: B039 - frozen


def access() -> Access:
    """How the run whose report is being written reached its target."""
    return _ACCESS.get()


@contextmanager
def reached_by(how: Access) -> Iterator[None]:
    """Snippets written in this block reach the target as the run did."""
    token = _ACCESS.set(how)
    try:
        yield
    finally:
        _ACCESS.reset(token)


@dataclass(frozen=True)
class Call:
    """A request made fit to be shown: credentials replaced by placeholders, headers reduced to those that matter.

    Exactly one of `text`, `raw` and `parts` speaks of the body: `text` where it reads well, `raw` where it is small
    and binary, `parts` for forms. `file` names what must stand beside the command where the body is too large.
    `value` is the body as JSON where placeholders stand in it, None elsewhere. `folder` is written before the name of
    each file.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    text: str = ""
    raw: bytes = b""
    parts: tuple[multipart.Part, ...] = ()
    file: str = ""
    size: int = 0
    value: Any = None
    folder: str = ""


def call_of(request: Request) -> Call:
    """A request as it may be shown."""
    headers = tuple(_shown_headers(request))
    method, url = request.method.upper(), _shown_url(request.url)
    if request.media_type == "multipart/form-data" and (parts := _parts(request)):
        kept = tuple(header for header in headers if header[0].lower() != "content-type")
        return Call(method, url, kept, parts=parts)
    return _with_body(Call(method, url, headers, size=len(request.body)), request)


def _with_body(call: Call, request: Request) -> Call:
    body = request.body
    text = _readable(body)
    if text is not None and len(body) <= _TEXT_LIMIT:
        return Call(call.method, call.url, call.headers, text=redaction.redact_text(text), size=len(body))
    if text is None and len(body) <= BINARY_LIMIT:
        return Call(call.method, call.url, call.headers, raw=body, size=len(body))
    suffix = "arrow" if "arrow" in request.media_type else "json" if "json" in request.media_type else "bin"
    return Call(call.method, call.url, call.headers, file=_file_name("body", body, suffix), size=len(body))


def _parts(request: Request) -> tuple[multipart.Part, ...]:
    return tuple(multipart.decode(request.headers.get("content-type", ""), request.body).values())


def _shown_headers(request: Request) -> Iterator[tuple[str, str]]:
    for name, value in request.headers.fields:
        key = name.lower()
        if key == "authorization":
            scheme, _, rest = value.partition(" ")
            yield "Authorization", f"{scheme} {placeholder('TOKEN')}" if rest else placeholder("TOKEN")
        elif key in _SHOWN_HEADERS and (key, value) not in _IMPLIED:
            yield "-".join(word.capitalize() for word in key.split("-")), redaction.redact_text(value)


def _shown_url(url: str) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))
    return redaction.redact_text(_CREDENTIAL.sub(rf"\g<1>{placeholder('TOKEN')}", plain))


def _readable(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\n\t" for character in text) else None


def base_of(url: str) -> str:
    """The base URL of an instance: what stands before the API's own path, else scheme, host and port."""
    parts = urlsplit(url)
    before, api, _ = parts.path.partition("/v1/api/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{before if api else ''}"


def file_of(part: multipart.Part) -> str:
    """The name under which a form's file must lie beside the command."""
    return _file_name("model", part.content, "onnx" if part.content_type != "text/plain" else "txt")


def _file_name(kind: str, content: bytes, suffix: str) -> str:
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:8]}.{suffix}"


def files_of(request: Request) -> dict[str, bytes]:
    """What must lie beside a command that sends the request again, by file name; secrets in text are replaced."""
    call = call_of(request)
    if call.file:
        text = _readable(request.body)
        return {call.file: request.body if text is None else redaction.redact_text(text).encode()}
    large = (part for part in call.parts if part.filename is not None and len(part.content) > BINARY_LIMIT)
    return {file_of(part): part.content for part in large}


def alternate(text: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a text in turn, each with whether it is a placeholder's name."""
    return ((index % 2 == 1, piece) for index, piece in enumerate(PLACEHOLDER.split(text)))


_BARE = str.maketrans({OPEN: "$", CLOSE: None})


_CURL_OPTIONS = {"ca_file": "--cacert", "client_cert": "--cert", "client_key": "--key"}


def certificates() -> list[str]:
    """curl's options that name the PEM files which the run needed to reach its target."""
    return [f"{_CURL_OPTIONS[name]} {shlex.quote(file)}" for name, file in access().files.items()]


def curl_of(exchange: Exchange) -> str:
    """A bash command that sends the request again, status and headers shown.

    Bodies of up to 8 KiB of text or 3 KiB of bytes travel in the command; a larger one, and any file of a form that is
    not tiny, must lie beside it under the name the command gives. Set TOKEN in the environment first: a comment behind
    the command says how.
    """
    call = sent_as(exchange)
    return "\n".join([curl(call, options_for(exchange)), *(unspoken(exchange) or token_line(call))])


_FALSE = {"garbage": "Bearer not.a.token", "prefixed": f"Bearer x{placeholder('TOKEN')}"}
"""Credentials that an identity probe sent and that can be written down."""


def sent_as(exchange: Exchange) -> Call:
    """An exchange's request as it may be shown, with the false credentials of its probe where they can be written."""
    call = call_of(exchange.request)
    false = [_FALSE[word] for word in Purpose.IDENTITY.words(exchange.labels) if word in _FALSE]
    if not false:
        return call
    return replace(call, headers=tuple((name, false[0] if name == "Authorization" else v) for name, v in call.headers))


def unspoken(exchange: Exchange) -> list[str]:
    """A comment on credentials that no command can write, empty where it can."""
    words = [w for w in Purpose.IDENTITY.words(exchange.labels) if w not in {*_FALSE, "none", "query"}]
    return [f"# $TOKEN is not a good one here but {word}; --repro writes a test that sends it." for word in words]


def token_line(call: Call) -> list[str]:
    """The comment that says where `$TOKEN` comes from, where a call needs one."""
    if not any(placeholder("TOKEN") in value for _, value in call.headers):
        return []
    base = base_of(call.url)
    return [f'# $TOKEN: eval "$(conformance token --target {base}{access().options} --export)"']


def options_for(exchange: Exchange) -> str:
    """curl's options: status and headers shown; an answer in Arrow goes to a file, not to the terminal."""
    arrow = exchange.response is not None and "arrow" in exchange.response.media_type
    return "-sS -D - -o answer.arrow" if arrow else "-sS -i"


def curl(call: Call, options: str = "-sS -i") -> str:
    """The bash command of a call; placeholders become `$NAME`."""
    pipe, data = _curl_body(call)
    words = [f"{pipe}curl {options}", *certificates(), *_curl_method(call)]
    lines = [" ".join([*words, bash_quoted(call.url)])]
    lines += [f"-H {bash_quoted(f'{name}: {value}')}" for name, value in call.headers]
    if data and call.size and not call.parts and not any(name == "Content-Type" for name, _ in call.headers):
        lines.append("-H 'Content-Type:'")
    return " \\\n  ".join([*lines, *data])


def _curl_method(call: Call) -> list[str]:
    words = ["-I"] if call.method == "HEAD" else [f"-X {shlex.quote(call.method)}"]
    if re.search(r"[][{}]", call.url):
        words.append("-g")
    if re.search(r"/\.{1,2}(/|$)", urlsplit(call.url).path):
        words.append("--path-as-is")
    return words


def _curl_body(call: Call) -> tuple[str, list[str]]:
    if call.parts:
        return _curl_form(call.parts, call.folder)
    if call.file:
        return "", [f"--data-binary {bash_quoted(f'@{call.folder}{call.file}')}"]
    if call.raw:
        return f"printf %s {_base64(call.raw)} | base64 -d | ", ["--data-binary @-"]
    return "", [f"--data-raw {bash_quoted(call.text)}"] if call.text else []


def _curl_form(parts: tuple[multipart.Part, ...], folder: str) -> tuple[str, list[str]]:
    pipe, words = "", []
    for part in parts:
        kind = f";type={part.content_type}" if part.content_type else ""
        if part.filename is None:
            value = _form_text(redaction.redact_text(part.content.decode("utf-8", "replace")))
            words.append(f"-F {bash_quoted(f'{part.name}={value}{kind}')}")
            continue
        source = f"@{folder}{file_of(part)}"
        if not pipe and len(part.content) <= BINARY_LIMIT:
            pipe, source = f"printf %s {_base64(part.content)} | base64 -d | ", "@-"
        filename = f';filename="{_escaped(part.filename)}"'
        words.append(f"-F {bash_quoted(f'{part.name}={source}{filename}{kind}')}")
    return pipe, words


def _form_text(text: str) -> str:
    """curl's -F reads `;`, and `@`, `<` or a quote in front, as syntax unless the value is quoted."""
    return f'"{_escaped(text)}"' if ";" in text or text[:1] in ("@", "<", '"') else text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _base64(content: bytes) -> str:
    return shlex.quote(base64.b64encode(content).decode())


def bash_quoted(text: str) -> str:
    """One bash word that means `text`, its placeholders `"$NAME"`."""
    pieces = list(alternate(text))
    if len(pieces) > 1 and not re.search(r"[\"\\$`!]", "".join(piece for odd, piece in pieces if not odd)):
        return '"' + re.sub(f"{PLACEHOLDER.pattern}(?=\\w)", r"${\1}", text).translate(_BARE) + '"'
    quoted = (f'"${piece}"' if odd else shlex.quote(piece) if piece else "" for odd, piece in pieces)
    return "".join(quoted) or "''"


def python_of(exchange: Exchange) -> str:
    """A script (httpx) that sends the request again and prints status and body; TOKEN is read from the environment."""
    call = sent_as(exchange)
    shown = "".join((call.url, *(value for _, value in call.headers)))
    certificates = _certificates()
    modules = (["os"] if PLACEHOLDER.search(shown) else []) + (["ssl"] if certificates else [])
    lines = [
        *(unspoken(exchange) or token_line(call)),
        *[f"import {name}" for name in modules],
        *([""] if modules else []),
        "import httpx",
        "",
        *certificates,
        f"response = {python_call(call)}",
        "print(response.status_code, response.text)",
    ]
    return "\n".join(lines) + "\n"


def _certificates() -> list[str]:
    """Lines that make `context` of the PEM files which the run needed, empty where it needed none."""
    files = access().files
    if not files:
        return []
    authorities = f"cafile={literal(files['ca_file'])}" if "ca_file" in files else ""
    pair = [literal(files[name]) for name in ("client_cert", "client_key") if name in files]
    shown = [f"context.load_cert_chain({', '.join(pair)})"] if pair else []
    return [f"context = ssl.create_default_context({authorities})", *shown]


def python_call(call: Call) -> str:
    """The call of httpx that sends the request; the token is the environment's."""
    known = {"TOKEN": "os.environ['TOKEN']"}
    headers = [_python_headers(call.headers, known)] if call.headers else []
    arguments = [literal(call.method), python_quoted(call.url, known), *headers, *_python_body(call, known)]
    arguments += ["verify=context"] if access().files else []
    return "httpx.request(\n    " + ",\n    ".join(arguments) + ",\n)"


def send_arguments(call: Call, known: Mapping[str, str]) -> list[str]:
    """The headers, credentials left out, and the body of a call as arguments of httpx."""
    fields = tuple(header for header in call.headers if header[0] != "Authorization")
    if call.value is not None:
        fields = tuple(header for header in fields if header != ("Content-Type", "application/json"))
    return [*([_python_headers(fields, known)] if fields else []), *_python_body(call, known)]


def _python_headers(headers: tuple[tuple[str, str], ...], known: Mapping[str, str]) -> str:
    fields = [(literal(name), python_quoted(value, known)) for name, value in headers]
    if len({name for name, _ in fields}) < len(fields):
        return f"headers=[{', '.join(f'({name}, {value})' for name, value in fields)}]"
    return f"headers={{{', '.join(f'{name}: {value}' for name, value in fields)}}}"


def _python_body(call: Call, known: Mapping[str, str]) -> list[str]:
    if call.parts:
        return [f"files=[{', '.join(_python_part(part, known, call.folder) for part in call.parts)}]"]
    if call.value is not None:
        return [f"json={python_value(call.value, known)}"]
    if call.file:
        return [f'content=open({python_quoted(call.folder + call.file, known)}, "rb").read()']
    if call.raw:
        return [f"content={call.raw!r}"]
    return [f"content={python_quoted(call.text, known)}"] if call.text else []


def _python_part(part: multipart.Part, known: Mapping[str, str], folder: str) -> str:
    if part.filename is None:
        content = python_quoted(redaction.redact_text(part.content.decode("utf-8", "replace")), known)
    elif len(part.content) <= BINARY_LIMIT:
        content = repr(part.content)
    else:
        content = f'open({python_quoted(folder + file_of(part), known)}, "rb")'
    kind = f", {literal(part.content_type)}" if part.content_type else ""
    name = "None" if part.filename is None else literal(part.filename)
    return f"({literal(part.name)}, ({name}, {content}{kind}))"


def python_quoted(text: str, known: Mapping[str, str]) -> str:
    """A Python string literal that means `text`, its placeholders the expressions `known` gives them."""
    pieces = list(alternate(text))
    if len(pieces) == 1:
        return literal(text)
    inner = "".join(f"{{{known[piece]}}}" if odd else _within(piece) for odd, piece in pieces)
    return f'f"{inner}"'


def _within(piece: str) -> str:
    return json.dumps(piece)[1:-1].replace("{", "{{").replace("}", "}}")


def literal(text: str) -> str:
    """A Python string literal, in double quotes where that needs no escape."""
    return f'"{text}"' if text.isprintable() and not set(text) & {'"', "\\"} else repr(text)


def python_value(value: Any, known: Mapping[str, str]) -> str:
    """A JSON value as Python source; a string that is one placeholder becomes its expression."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {python_value(item, known)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(python_value(item, known) for item in value)}]"
    if isinstance(value, str):
        whole = PLACEHOLDER.fullmatch(value)
        return known[whole[1]] if whole else python_quoted(value, known)
    return repr(value)
