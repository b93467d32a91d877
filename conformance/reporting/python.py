"""An exchange as a Python script with httpx. The token comes from the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conformance import redaction
from conformance.api import multipart
from conformance.model import Exchange
from conformance.reporting.call import BINARY_LIMIT, PLACEHOLDER, Call, access, alternate, call_of, file_of
from conformance.reporting.curl import token_line


def python_of(exchange: Exchange) -> str:
    """A script (httpx) that sends the request again and prints status and body; TOKEN is read from the environment."""
    call = call_of(exchange.request)
    shown = "".join((call.url, *(value for _, value in call.headers)))
    certificates = _certificates()
    modules = (["os"] if PLACEHOLDER.search(shown) else []) + (["ssl"] if certificates else [])
    lines = [
        *token_line(call),
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
        return [f"files=[{', '.join(_python_part(part, known) for part in call.parts)}]"]
    if call.value is not None:
        return [f"json={python_value(call.value, known)}"]
    if call.file:
        return [f'content=open("{call.file}", "rb").read()']
    if call.raw:
        return [f"content={call.raw!r}"]
    return [f"content={python_quoted(call.text, known)}"] if call.text else []


def _python_part(part: multipart.Part, known: Mapping[str, str]) -> str:
    if part.filename is None:
        content = python_quoted(redaction.redact_text(part.content.decode("utf-8", "replace")), known)
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
