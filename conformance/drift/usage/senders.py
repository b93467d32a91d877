"""Calls within a user's program that reach the API: HTTP libraries, curl, the vendor's SDK and its generated client.

Each function takes a call with its evaluated parts, and gives None where the call is of another kind.
"""

from __future__ import annotations

import ast
from typing import Any

from conformance.drift.usage.calls import Answer, Call, Fields, Use
from conformance.drift.usage.curl import CurlRequest, curl_request
from conformance.drift.usage.methods import CALLED, GENERATED, INFERS, METHODS
from conformance.drift.usage.programs import Program
from conformance.drift.usage.values import UNKNOWN, SdkObject, Session, text_of

VERBS = ("get", "post", "put", "patch", "delete", "head", "options")
_SHELLS = ("system", "run", "call", "check_call", "check_output", "Popen", "getoutput", "popen")


def request_call(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    plain = program.imports.get(name, "") if isinstance(node.func, ast.Name) else name
    verb = plain.rsplit(".", 1)[-1]
    rest = list(arguments)
    if verb in VERBS:
        method = verb
    elif verb in ("request", "stream", "Request"):
        method = keywords.get("method", rest.pop(0) if verb != "Request" and rest else "post")
    else:
        return None
    url = keywords.get("url", rest[0] if rest else UNKNOWN)
    if isinstance(receiver, Session) and isinstance(url, str) and "://" not in url:
        url = f"{receiver}/{url.lstrip('/')}" if not url.startswith("/v1/") else url
    if not isinstance(url, str | Answer):
        return None
    positional = rest[1] if len(rest) > 1 and verb in (*VERBS, "Request") else None
    bodies = (keywords.get(one) for one in ("json", "data", "content", "body"))
    return program.send(
        Call(
            method=str(method),
            url=url,
            place=program.place(node.lineno),
            body=next((one for one in bodies if one is not None), positional),
            form=keywords.get("files"),
            query=keywords.get("params"),
            headers=keywords.get("headers"),
        )
    )


def curl_call(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    if name == "__shell__":
        return _shell_line(program, node.lineno)
    if name not in _SHELLS or not arguments:
        return None
    command = arguments[0]
    if isinstance(command, list):
        command = [text_of(word) for word in command]
    request = curl_request(command) if isinstance(command, str | list) else None
    return send_curl(program, request, node.lineno) if request else None


def _shell_line(program: Program, line: int) -> Any:
    """A notebook's shell line, in which `{expression}` is a value of the program."""

    def resolve(expression: str) -> Any:
        try:
            tree = ast.increment_lineno(ast.parse(expression.strip(), mode="eval"), line - 1)
        except SyntaxError:
            return UNKNOWN
        return program.evaluate(tree.body)

    request = curl_request(program.shell.get(line, ""), resolve)
    return send_curl(program, request, line) if request else UNKNOWN


def send_curl(program: Program, request: CurlRequest, line: int) -> Answer | None:
    """Note what a curl line sends."""
    form = Fields({name: _form_part(value) for name, value in request.form}) if request.form else None
    method = request.method or ("post" if request.data is not None or form else "get")
    url = request.url
    call = Call(method, url, program.place(line), request.data, form, None, dict(request.headers), "curl")
    return program.send(call)


def _form_part(value: str) -> Any:
    """`@path;filename=NAME;type=TYPE` is a file, `text;type=TYPE` a field (curl's --form)."""
    content, *options = value.split(";")
    named = next((one.removeprefix("filename=") for one in options if one.startswith("filename=")), "")
    if content.startswith("@"):
        return [named or content[1:].rsplit("/", 1)[-1], UNKNOWN]
    return value.rsplit(";type=", 1)[0]


def sdk_call(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    imported = any(one.split(".")[0] == "wallaroo" for one in program.imports.values())
    module = ast.unparse(node.func.value).rsplit(".", 1)[-1] if isinstance(node.func, ast.Attribute) else ""
    if imported and name in CALLED and module in GENERATED:
        return _generated(program, node, GENERATED[module], keywords)
    if imported and program.imports.get(module, module) == "wallaroo" and name == "Client":
        return SdkObject()
    ours = isinstance(receiver, SdkObject) or (imported and receiver is UNKNOWN)
    if not ours or name not in METHODS or not isinstance(node.func, ast.Attribute):
        return SdkObject() if isinstance(receiver, SdkObject) else None
    known = {one.id for one in program.document.operations}
    for operation in METHODS[name]:
        if operation in known:
            program.uses.append(Use(operation, "operation", program.place(node.lineno), "sdk", detail=f".{name}()"))
    return Answer("pipelines.infer", "response.body[]", "sdk") if name in INFERS else SdkObject()


def _generated(program: Program, node: ast.Call, operation: str, keywords: dict[str, Any]) -> Answer | None:
    body = next((one.value for one in node.keywords if one.arg in ("body", "json_body")), None)
    given = (
        {one.arg: program.evaluate(one.value) for one in body.keywords if one.arg} if isinstance(body, ast.Call) else {}
    )
    if operation not in {one.id for one in program.document.operations}:
        return None
    place = program.place(node.lineno)
    program.uses.append(Use(operation, "operation", place, "sdk", detail="the generated client"))
    program.uses.extend(Use(operation, f"request.body.{name}", place, "sdk") for name in given)
    return Answer(operation, "response.body", "sdk")
