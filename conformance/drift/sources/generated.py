"""A generated client as OpenAPI, read from its source and never imported: its models as schemas, its functions as
operations.

The generator is openapi-python-client: a module per model under `models/`, attrs classes whose annotations are the
types (`Unset` marks what may be absent, `None` what may be null), enumerations as classes with constants. Both shapes
of its functions are read: keyword arguments returned as one dictionary with `json_body` (until 2024) and `_kwargs`
filled step by step with `body` (since).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Schema = dict[str, Any]

SCALARS: dict[str, Schema] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "Any": {},
    "object": {},
    "UUID": {"type": "string", "format": "uuid"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "isoparse": {"type": "string", "format": "date-time"},
    "File": {"contentMediaType": "application/octet-stream"},
    "None": {"type": "null"},
}
_LISTS = ("List", "list", "Sequence")
_MAPPINGS = ("Dict", "dict", "Mapping")


@dataclass(frozen=True)
class Typed:
    """What an annotation says: the schema, and whether the value may be left out."""

    schema: Schema
    optional: bool = False


@dataclass
class Models:
    """The models a client's operations use, gathered as they are met: schemas by class name, and what was not read."""

    folder: Any  # pathlib.Path, or zipfile.Path inside a wheel
    schemas: dict[str, Schema] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def typed(self, annotation: ast.expr | None, names: dict[str, str]) -> Typed:
        """The schema of an annotation; `names` maps the class names it may use to the modules of `models/`."""
        if annotation is None:
            return Typed({})
        kinds = [one for one in _members(annotation) if _name(one) != "Unset"]
        optional = len(kinds) < sum(1 for _ in _members(annotation))
        schemas = [self._single(kind, names) for kind in kinds]
        return Typed(_any_of(schemas), optional)

    def _single(self, kind: ast.expr, names: dict[str, str]) -> Schema:
        name = _name(kind)
        if isinstance(kind, ast.Subscript):
            return self._generic(name, kind.slice, names)
        if name in SCALARS:
            return dict(SCALARS[name])
        if name in names:
            self._gather(name, names[name])
            return {"$ref": f"#/components/schemas/{name}"}
        if name in (*_LISTS, *_MAPPINGS):
            return {"type": "array" if name in _LISTS else "object"}
        self._note(f"the type {name or ast.unparse(kind)} is not understood and read as any value")
        return {}

    def _generic(self, name: str, inner: ast.expr, names: dict[str, str]) -> Schema:
        if name in _LISTS:
            return {"type": "array", "items": self.typed(inner, names).schema}
        if name in _MAPPINGS and isinstance(inner, ast.Tuple) and len(inner.elts) == 2:
            return {"type": "object", "additionalProperties": self.typed(inner.elts[1], names).schema or True}
        if name == "Literal":
            values = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return {"enum": [one.value for one in values if isinstance(one, ast.Constant)]}
        self._note(f"the type {name}[…] is not understood and read as any value")
        return {}

    def _gather(self, name: str, module: str) -> None:
        if name in self.schemas:
            return
        self.schemas[name] = {}
        tree = parsed(self.folder.joinpath(f"{module}.py"))
        definition = next((one for one in class_definitions(tree) if one.name == name), None) if tree else None
        if tree is not None and definition is not None:
            self.schemas[name] = _enumeration(definition) or self._object(definition, imported_models(tree))
        elif tree is not None and (alias := _alias(tree, name)) is not None:
            self.schemas[name] = self.typed(alias, imported_models(tree)).schema
        else:
            self._note(f"the model {name} is not in models/{module}.py and read as any value")

    def _object(self, definition: ast.ClassDef, names: dict[str, str]) -> Schema:
        wire = _wire_names(definition)
        names = (
            names | {definition.name: _own_module(names, definition.name)} if definition.name not in names else names
        )
        schema: Schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        for attribute in definition.body:
            if not isinstance(attribute, ast.AnnAssign) or not isinstance(attribute.target, ast.Name):
                continue
            if attribute.target.id == "additional_properties":
                schema["additionalProperties"] = self.typed(attribute.annotation, names).schema["additionalProperties"]
                continue
            typed = self.typed(attribute.annotation, names)
            name = wire.get(attribute.target.id, attribute.target.id)
            schema["properties"][name] = typed.schema | _default(attribute.value)
            if not typed.optional:
                schema["required"].append(name)
        return {key: value for key, value in schema.items() if value or key in ("type", "additionalProperties")}

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def parsed(file: Any) -> ast.Module | None:
    """The file's syntax tree; None where there is no such file or it is not Python."""
    try:
        text: str = file.read_text(encoding="utf-8")
        return ast.parse(text)
    except (OSError, KeyError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def class_definitions(tree: ast.Module) -> list[ast.ClassDef]:
    """The classes of a module's top level."""
    return [one for one in tree.body if isinstance(one, ast.ClassDef)]


def imported_models(tree: ast.AST) -> dict[str, str]:
    """Class name to module of `models/`, from every import in the file, those for type checking included."""
    return {
        alias.asname or alias.name: node.module.rsplit(".", 1)[-1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level and (node.module or "").startswith("models.")
        if node.module
        for alias in node.names
    }


def _alias(tree: ast.Module, name: str) -> ast.expr | None:
    """`NAME = Literal[…]`, as newer generators write enumerations."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    return None


def _own_module(names: dict[str, str], name: str) -> str:
    """A model may hold itself; its module is its own name in snake case, the generator's rule."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _members(annotation: ast.expr) -> Iterator[ast.expr]:
    """The members of Union[…], Optional[…] and `A | B`, strings parsed; anything else is its own only member."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        yield from _members(ast.parse(annotation.value, mode="eval").body)
    elif isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        yield from _members(annotation.left)
        yield from _members(annotation.right)
    elif isinstance(annotation, ast.Subscript) and _name(annotation) == "Union":
        inner = annotation.slice
        for one in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
            yield from _members(one)
    elif isinstance(annotation, ast.Subscript) and _name(annotation) == "Optional":
        yield from _members(annotation.slice)
        yield ast.Constant(None)
    else:
        yield annotation


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value).rsplit(".", 1)[-1]
    if isinstance(node, ast.Constant) and node.value is None:
        return "None"
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _any_of(schemas: list[Schema]) -> Schema:
    if {} in schemas:
        return {}
    distinct = [one for position, one in enumerate(schemas) if one not in schemas[:position]]
    null = {"type": "null"}
    rest = [one for one in distinct if one != null]
    if len(rest) == 1 and len(distinct) == 2 and isinstance(rest[0].get("type"), str) and "enum" not in rest[0]:
        return rest[0] | {"type": [rest[0]["type"], "null"]}
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _enumeration(definition: ast.ClassDef) -> Schema | None:
    bases = {_name(base) for base in definition.bases}
    if not bases & {"Enum", "StrEnum", "IntEnum"}:
        return None
    constants = [one.value for one in definition.body if isinstance(one, ast.Assign)]
    values = [one.value for one in constants if isinstance(one, ast.Constant)]
    return {"type": "integer" if bases & {"int", "IntEnum"} else "string", "enum": values}


def _wire_names(definition: ast.ClassDef) -> dict[str, str]:
    """Attribute to JSON name: what `to_dict` puts under which key (`in_` may be `in` on the wire)."""
    method = next((one for one in definition.body if isinstance(one, ast.FunctionDef) and one.name == "to_dict"), None)
    wire: dict[str, str] = {}
    for node in ast.walk(method) if method else ():
        if isinstance(node, ast.Dict):
            pairs = list(zip(node.keys, node.values, strict=True))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            pairs = [(node.targets[0].slice, node.value)]
        else:
            continue
        for key, value in pairs:
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.Name):
                wire[value.id] = key.value
    return wire


def _default(value: ast.expr | None) -> Schema:
    known = isinstance(value, ast.Constant) and value.value is not None
    return {"default": value.value} if known and isinstance(value, ast.Constant) else {}


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
