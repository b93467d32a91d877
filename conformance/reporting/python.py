"""An exchange as a Python script with httpx. The token comes from the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping

from conformance import multipart, redaction
from conformance.model import Exchange
from conformance.reporting.call import BINARY_LIMIT, PLACEHOLDER, Call, alternate, call_of, file_of


def python_of(exchange: Exchange) -> str:
    """A script (httpx) that sends the request again and prints status and body; TOKEN is read from the environment."""
    call = call_of(exchange.request)
    shown = "".join((call.url, *(value for _, value in call.headers)))
    imports = ["import os", ""] if PLACEHOLDER.search(shown) else []
    lines = [
        *imports,
        "import httpx",
        "",
        f"response = {python_call(call)}",
        "print(response.status_code, response.text)",
    ]
    return "\n".join(lines) + "\n"


def python_call(call: Call, send: str = "httpx.request", variables: Mapping[str, str] | None = None) -> str:
    """The Python expression of a call; placeholders become expressions, `TOKEN` the environment's."""
    known = {"TOKEN": "os.environ['TOKEN']", **(variables or {})}
    arguments = [literal(call.method), python_quoted(call.url, known)]
    if call.headers:
        arguments.append(_python_headers(call, known))
    arguments += _python_body(call, known)
    return f"{send}(\n    " + ",\n    ".join(arguments) + ",\n)"


def _python_headers(call: Call, known: Mapping[str, str]) -> str:
    fields = [(literal(name), python_quoted(value, known)) for name, value in call.headers]
    if len({name for name, _ in fields}) < len(fields):
        return f"headers=[{', '.join(f'({name}, {value})' for name, value in fields)}]"
    return f"headers={{{', '.join(f'{name}: {value}' for name, value in fields)}}}"


def _python_body(call: Call, known: Mapping[str, str]) -> list[str]:
    if call.parts:
        return [f"files=[{', '.join(_python_part(part) for part in call.parts)}]"]
    if call.file:
        return [f'content=open("{call.file}", "rb").read()']
    if call.raw:
        return [f"content={call.raw!r}"]
    return [f"content={python_quoted(call.text, known)}"] if call.text else []


def _python_part(part: multipart.Part) -> str:
    if part.filename is None:
        content = literal(redaction.redact_text(part.content.decode("utf-8", "replace")))
    elif len(part.content) <= BINARY_LIMIT:
        content = repr(part.content)
    else:
        content = f'open({literal(file_of(part))}, "rb")'
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
