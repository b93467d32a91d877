"""Operations of a generated client as OpenAPI operations: address, parameters, bodies and answers, from the source.

Both shapes of the generator are read: keyword arguments returned as one dictionary with `json_body` (until 2024) and
`_kwargs` filled step by step with `body` (since).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from conformance.drift.sources.generated import Models, Schema, imported_models

_MEDIA = {
    "json": "application/json",
    "files": "multipart/form-data",
    "data": "application/x-www-form-urlencoded",
    "content": "application/octet-stream",
}


def address(tree: ast.Module) -> tuple[str, str]:
    """Path template and method of one module of `api/`; an empty path where it is in neither shape."""
    kwargs = _function(tree, "_get_kwargs")
    return _address(kwargs) if kwargs else ("", "")


def read_operation(tree: ast.Module, models: Models) -> dict[str, Any]:
    """The OpenAPI operation of one module of `api/` that has an address; the models it uses are gathered."""
    kwargs, response = (_function(tree, name) for name in ("_get_kwargs", "_parse_response"))
    names = imported_models(tree)
    operation: dict[str, Any] = {}
    if kwargs and (parameters := _parameters(kwargs, _address(kwargs)[0], names, models)):
        operation["parameters"] = parameters
    if kwargs and (body := _body(kwargs, names, models)):
        operation["requestBody"] = body
    answers = dict(sorted(_responses(response, names, models))) if response else {}
    operation["responses"] = answers or {"default": {"description": "Not described"}}
    return operation


def _function(tree: ast.AST | None, name: str) -> ast.FunctionDef | None:
    body = tree.body if isinstance(tree, ast.Module) else []
    return next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == name), None)


def _entries(function: ast.FunctionDef, *into: str) -> Iterator[tuple[str, ast.expr]]:
    """Every `{"key": value}` and every `NAME["key"] = value` for the names of `into`, in order of the source."""
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            pairs = [*zip(node.keys, node.values, strict=True)] if "_kwargs" in into else []
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            pairs = [(target.slice, node.value)] if ast.unparse(target.value) in into else []
        else:
            continue
        for key, value in pairs:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value


def _address(kwargs: ast.FunctionDef) -> tuple[str, str]:
    path, method = "", "post"
    for key, value in _entries(kwargs, "_kwargs"):
        if key == "method" and isinstance(value, ast.Constant):
            method = str(value.value).lower()
    for node in ast.walk(kwargs):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.removeprefix("{}")
            path = text if text.startswith("/") and not path else path
    return path, method


def _arguments(kwargs: ast.FunctionDef) -> dict[str, ast.expr | None]:
    return {one.arg: one.annotation for one in (*kwargs.args.args, *kwargs.args.kwonlyargs) if one.arg != "client"}


def _parameters(kwargs: ast.FunctionDef, path: str, names: dict[str, str], models: Models) -> list[Schema]:
    arguments = _arguments(kwargs)
    found: list[tuple[str, str, str]] = [("path", name, name) for name in arguments if f"{{{name}}}" in path]
    sources = {"params": "query", "headers": "header", "cookies": "cookie"}
    for variable, place in sources.items():
        for key, value in _entries(kwargs, variable):
            argument = _argument_behind(value, kwargs, arguments)
            if argument and key.lower() not in ("content-type", "authorization"):
                found.append((place, key, argument))
    parameters = []
    for place, name, argument in dict.fromkeys(found):
        typed = models.typed(arguments[argument], names)
        required = place == "path" or not typed.optional
        parameters.append({"name": name, "in": place, "required": required, "schema": typed.schema})
    return parameters


def _argument_behind(value: ast.expr, kwargs: ast.FunctionDef, arguments: dict[str, Any], depth: int = 4) -> str:
    """The argument a value comes from, through the variables the generator puts between (`json_x = str(x)`)."""
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id in arguments:
            return node.id
    if depth == 0:
        return ""
    for node in ast.walk(value):
        if isinstance(node, ast.Name):
            for step in ast.walk(kwargs):
                if isinstance(step, ast.Assign) and ast.unparse(step.targets[0]) == node.id:
                    found = _argument_behind(step.value, kwargs, arguments, depth - 1)
                    if found:
                        return found
    return ""


def _body(kwargs: ast.FunctionDef, names: dict[str, str], models: Models) -> Schema:
    arguments = _arguments(kwargs)
    headers = [value for key, value in _entries(kwargs, "headers") if key == "Content-Type"]
    types = [value.value for value in headers if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    content: dict[str, Any] = {}
    required = True
    for key, value in _entries(kwargs, "_kwargs"):
        argument = _argument_behind(value, kwargs, arguments) if key in _MEDIA else ""
        if argument:
            typed = models.typed(_narrowed(kwargs, value, arguments[argument]), names)
            declared = [one for one in types if key != "files" and one not in content]
            media = declared[0] if declared else _MEDIA[key]
            content[media] = (
                {"schema": typed.schema}
                if key != "content"
                else {"schema": {"contentMediaType": "application/octet-stream"}}
            )
            required = required and not typed.optional
    return {"required": required, "content": content} if content else {}


def _narrowed(kwargs: ast.FunctionDef, value: ast.expr, annotation: ast.expr | None) -> ast.expr | None:
    """Where a body has several types, the one that `if isinstance(body, TYPE)` names around this value."""
    for node in ast.walk(kwargs):
        test = node.test if isinstance(node, ast.If) else None
        if isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance" and isinstance(node, ast.If):
            inside = any(inner is value for step in node.body for inner in ast.walk(step))
            if inside and "Unset" not in ast.unparse(test.args[1]):
                return test.args[1]
    return annotation


def _responses(function: ast.FunctionDef, names: dict[str, str], models: Models) -> Iterator[tuple[str, Schema]]:
    for node in ast.walk(function):
        if isinstance(node, ast.If) and (status := _status(node.test)):
            schema = _returned(node.body, names, models)
            response: Schema = {"description": HTTPStatus(int(status)).phrase}
            if schema is not None:
                response["content"] = {"application/json": {"schema": schema}}
            yield status, response


def _status(test: ast.expr) -> str:
    if not (isinstance(test, ast.Compare) and ast.unparse(test.left) == "response.status_code"):
        return ""
    right = test.comparators[0]
    if isinstance(right, ast.Constant):
        return str(right.value)
    return str(HTTPStatus[right.attr].value) if isinstance(right, ast.Attribute) else ""


def _returned(body: list[ast.stmt], names: dict[str, str], models: Models) -> Schema | None:
    """The schema of what the branch returns; None where it has no content (the generator casts None to Any)."""
    last = next((one.value for one in reversed(body) if isinstance(one, ast.Return)), None)
    return _value(last, body, names, models) if last is not None else None


def _value(value: ast.expr, body: list[ast.stmt], names: dict[str, str], models: Models) -> Schema | None:
    if isinstance(value, ast.Name):
        return _variable(value.id, body, names, models)
    if isinstance(value, ast.Call):
        called = ast.unparse(value.func)
        if called == "cast":
            empty = isinstance(value.args[1], ast.Constant) and value.args[1].value is None
            return None if empty else models.typed(value.args[0], names).schema
        local = next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == called), None)
        if local is not None:
            return models.typed(local.returns, names).schema
        return models.typed(ast.parse(called.removesuffix(".from_dict"), mode="eval").body, names).schema
    return {}


def _variable(name: str, body: list[ast.stmt], names: dict[str, str], models: Models) -> Schema | None:
    for step in body:
        if isinstance(step, ast.AnnAssign) and ast.unparse(step.target) == name:
            return models.typed(step.annotation, names).schema
    assigned = next(
        (one.value for one in body if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == name), None
    )
    if isinstance(assigned, ast.List):
        return {"type": "array", "items": _item(name, body, names, models)}
    if assigned is None or ast.unparse(assigned) == "response.json()":
        return {}
    return {"type": "string"} if ast.unparse(assigned) == "response.text" else _value(assigned, body, names, models)


def _item(name: str, body: list[ast.stmt], names: dict[str, str], models: Models) -> Schema:
    for loop in body:
        if isinstance(loop, ast.For):
            for step in loop.body:
                call = step.value if isinstance(step, ast.Expr) else None
                if isinstance(call, ast.Call) and ast.unparse(call.func) == f"{name}.append":
                    return _value(call.args[0], loop.body, names, models) or {}
    return {}
