"""An exchange as a bash command with curl. The token is always `$TOKEN`."""

from __future__ import annotations

import base64
import re
import shlex
from urllib.parse import urlsplit

from conformance import redaction
from conformance.api import multipart
from conformance.model import Exchange
from conformance.reporting.call import (
    BINARY_LIMIT,
    CLOSE,
    OPEN,
    PLACEHOLDER,
    Call,
    access,
    alternate,
    base_of,
    call_of,
    file_of,
    placeholder,
)

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
    call = call_of(exchange.request)
    return "\n".join([curl(call, options_for(exchange)), *token_line(call)])


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
        return _curl_form(call.parts)
    if call.file:
        return "", [f"--data-binary @{call.file}"]
    if call.raw:
        return f"printf %s {_base64(call.raw)} | base64 -d | ", ["--data-binary @-"]
    return "", [f"--data-raw {bash_quoted(call.text)}"] if call.text else []


def _curl_form(parts: tuple[multipart.Part, ...]) -> tuple[str, list[str]]:
    pipe, words = "", []
    for part in parts:
        kind = f";type={part.content_type}" if part.content_type else ""
        if part.filename is None:
            value = _form_text(redaction.redact_text(part.content.decode("utf-8", "replace")))
            words.append(f"-F {bash_quoted(f'{part.name}={value}{kind}')}")
            continue
        source = f"@{file_of(part)}"
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
