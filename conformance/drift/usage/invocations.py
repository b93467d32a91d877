"""What a call within a user's program means: an HTTP request, a method of the SDK, curl, or a step on a known value."""

from __future__ import annotations

import ast
from typing import Any

from conformance.drift.usage.calls import Answer, Fields, Use
from conformance.drift.usage.curl import HOLE
from conformance.drift.usage.programs import Program
from conformance.drift.usage.senders import curl_call, request_call, sdk_call
from conformance.drift.usage.values import UNKNOWN, Function, Session, text_of

_SESSIONS = ("Client", "AsyncClient", "Session", "ClientSession")
_SHOWN = (
    *(
        "print",
        "display",
        "pprint",
        "len",
        "type",
        "isinstance",
        "repr",
        "str",
        "id",
        "dir",
        "dumps",
        "dump",
        "info",
        "debug",
    ),
    *("warning", "error", "exception", "log", "head", "raise_for_status", "json", "append", "sleep"),
)
"""Calls through which an answer is shown or kept, not read."""
_FRAMES = ("DataFrame", "from_records", "from_dict", "json_normalize")
_SAME = (
    "encode",
    "decode",
    "strip",
    "rstrip",
    "lstrip",
    "copy",
    "dumps",
    "loads",
    "load",
    "deepcopy",
    "quote",
    "str",
    "read",
    "tolist",
)


def invoke(program: Program, node: ast.Call) -> Any:
    """The value of a call, after noting what it touches."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    receiver = program.evaluate(node.func.value) if isinstance(node.func, ast.Attribute) else UNKNOWN
    arguments = [program.evaluate(one.value if isinstance(one, ast.Starred) else one) for one in node.args]
    keywords = {one.arg: program.evaluate(one.value) for one in node.keywords if one.arg}
    for spread in (one for one in node.keywords if one.arg is None):
        value = program.evaluate(spread.value)
        keywords |= value if isinstance(value, Fields) else {}
    for step in (request_call, curl_call, _own_function, sdk_call, _answered, _constructed, _stepped):
        found = step(program, node, name, receiver, arguments, keywords)
        if found is not None:
            return found
    _escapes(program, node, name, arguments, keywords)
    return UNKNOWN


def _own_function(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    function = program.names.get(name)
    if not isinstance(function, Function):
        return None
    program.called.add(name)
    taken = [one.arg for one in function.node.args.args]
    bound = [receiver, *arguments] if taken[:1] in (["self"], ["cls"]) else arguments
    return program.run(function, bound, keywords)


def _answered(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    """Methods of a response and of its body."""
    if not isinstance(receiver, Answer):
        return None
    if name in ("json", "read") and not receiver.at:
        return Answer(receiver.operation, "response.body", receiver.by)
    if name == "raise_for_status":
        program.uses.append(Use(receiver.operation, "response.status", program.place(node.lineno), receiver.by))
        return receiver
    if name in ("get", "pop") and arguments:
        return program.taken(receiver, arguments[0], node.lineno)
    if name in _SAME:
        return receiver
    if name in ("items", "values", "to_dict", "to_json") and receiver.at:
        program.touch(receiver, node.lineno, whole=True)
    return None


def _constructed(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    """Clients, dictionaries and frames made from what is known."""
    if name in _SESSIONS:
        return Session(text_of(keywords.get("base_url", "")).rstrip("/") if "base_url" in keywords else HOLE)
    if name == "dict":
        first = arguments[0] if arguments and isinstance(arguments[0], Fields) else Fields()
        places = dict.fromkeys(keywords, program.place(node.lineno))
        return Fields({**first, **keywords}, {**first.places, **places})
    if name in _FRAMES and arguments and isinstance(arguments[0], Answer):
        answer = arguments[0]
        return answer if answer.at.endswith("[]") else answer.part(0)
    if name == "list" and arguments:
        return arguments[0]
    return None


def _stepped(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    """Steps that keep a known value known: joining and formatting text, updating a dictionary."""
    if isinstance(receiver, Fields):
        if name == "update":
            receiver.update({**(arguments[0] if arguments and isinstance(arguments[0], Fields) else {}), **keywords})
        if name in ("get", "pop", "setdefault") and arguments:
            return program.taken(receiver, arguments[0], node.lineno)
        return receiver if name in _SAME else None
    if isinstance(receiver, list) and name in ("append", "extend") and arguments:
        receiver.extend(arguments[0] if name == "extend" and isinstance(arguments[0], list) else [arguments[0]])
        return UNKNOWN
    if isinstance(receiver, str) and name == "format":
        return _formatted(receiver, arguments, keywords)
    if name in ("urljoin", "join") and len(arguments) > 1 and any(isinstance(one, str) for one in arguments):
        return "/".join(text_of(one).strip("/") for one in arguments)
    return _same(name, receiver, arguments) if name in (*_SAME, "urlopen") else None


def _same(name: str, receiver: Any, arguments: list[Any]) -> Any:
    """What a step that changes only the form of a value gives: the value; of a response that is parsed, its body."""
    if receiver is not UNKNOWN:
        return receiver if isinstance(receiver, str | list) else None
    value = arguments[0] if arguments else None
    if isinstance(value, Answer) and not value.at and name in ("load", "loads"):
        return Answer(value.operation, "response.body", value.by)
    return value


def _formatted(text: str, arguments: list[Any], keywords: dict[str, Any]) -> str:
    values = iter(arguments)
    pieces, rest = "", text
    while "{" in rest and "}" in rest:
        before, _, after = rest.partition("{")
        name, _, rest = after.partition("}")
        pieces += before + text_of(keywords.get(name, next(values, UNKNOWN) if not name else UNKNOWN))
    return pieces + rest


def _escapes(program: Program, node: ast.Call, name: str, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """An answer given to a call nobody here knows may be read whole there."""
    if name in _SHOWN:
        return
    for value in (*arguments, *keywords.values()):
        if isinstance(value, Answer) and (value.at or value.by != "sdk"):
            program.touch(value if value.at else Answer(value.operation, "response.body"), node.lineno, whole=True)
