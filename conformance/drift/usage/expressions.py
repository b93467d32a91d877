"""Expressions of a user's program as values: constants, text with holes, dictionaries, parts of answers."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from conformance.drift.usage.calls import Answer, Fields, Use
from conformance.drift.usage.invocations import invoke
from conformance.drift.usage.programs import Program
from conformance.drift.usage.values import UNKNOWN, SdkObject, added, element, text_of


def evaluation(program: Program, node: ast.expr) -> Any:
    """The value of an expression; what is of a kind not known here is UNKNOWN, after what is inside it was read."""
    known = _EVALUATIONS.get(type(node))
    if known is not None:
        return known(program, node)
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.expr):
            program.evaluate(inner)
    return UNKNOWN


def _name(program: Program, node: ast.Name) -> Any:
    return program.names.get(node.id, UNKNOWN)


def _attribute(program: Program, node: ast.Attribute) -> Any:
    key = ast.unparse(node)
    if key in program.names:
        return program.names[key]
    value = program.evaluate(node.value)
    if isinstance(value, SdkObject):
        return value
    if isinstance(value, Answer) and not value.at:
        if node.attr in ("status_code", "status", "ok", "is_success", "is_error", "reason", "reason_phrase"):
            program.uses.append(Use(value.operation, "response.status", program.place(node.lineno), value.by))
        elif node.attr in ("text", "content"):
            return Answer(value.operation, "response.body", value.by)
    return UNKNOWN


def _joined(program: Program, node: ast.JoinedStr) -> Any:
    values = [program.evaluate(one.value if isinstance(one, ast.FormattedValue) else one) for one in node.values]
    return values[0] if len(values) == 1 and isinstance(values[0], Answer) else "".join(map(text_of, values))


def _binary(program: Program, node: ast.BinOp) -> Any:
    left, right = program.evaluate(node.left), program.evaluate(node.right)
    if isinstance(node.op, ast.Add):
        return added(left, right)
    if isinstance(node.op, ast.Mod) and isinstance(left, str):
        values = iter(right if isinstance(right, list) else [right])
        pieces = left.split("%s")
        return pieces[0] + "".join(text_of(next(values, UNKNOWN)) + piece for piece in pieces[1:])
    if isinstance(node.op, ast.BitOr) and isinstance(left, Fields) and isinstance(right, Fields):
        return Fields({**left, **right}, {**left.places, **right.places})
    return UNKNOWN


def _dictionary(program: Program, node: ast.Dict) -> Any:
    fields = Fields()
    for key, value in zip(node.keys, node.values, strict=True):
        found = program.evaluate(value)
        name = program.evaluate(key) if key is not None else None
        if key is None and isinstance(found, Fields):
            fields.update(found)
            fields.places |= found.places
        elif isinstance(name, str) and key is not None:
            fields[name] = found
            fields.places[name] = program.place(key.lineno)
    return fields


def _list(program: Program, node: ast.List | ast.Tuple | ast.Set) -> Any:
    return [program.evaluate(one.value if isinstance(one, ast.Starred) else one) for one in node.elts]


def _comprehension(program: Program, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Any:
    for generator in node.generators:
        program.bind(generator.target, element(program.evaluate(generator.iter)))
        for test in generator.ifs:
            program.evaluate(test)
    if isinstance(node, ast.DictComp):
        program.evaluate(node.key)
        program.evaluate(node.value)
        return UNKNOWN
    return [program.evaluate(node.elt)]


def _subscript(program: Program, node: ast.Subscript) -> Any:
    value = program.evaluate(node.value)
    sliced = isinstance(node.slice, ast.Slice)
    return value if sliced else program.taken(value, program.evaluate(node.slice), node.lineno)


def _either(program: Program, node: ast.IfExp | ast.BoolOp) -> Any:
    options = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
    values = [program.evaluate(one) for one in options]
    if isinstance(node, ast.IfExp):
        program.evaluate(node.test)
    return next((one for one in values if one is not UNKNOWN), UNKNOWN)


def _walrus(program: Program, node: ast.NamedExpr) -> Any:
    value = program.evaluate(node.value)
    program.bind(node.target, value)
    return value


_EVALUATIONS: dict[type[ast.expr], Callable[[Program, Any], Any]] = {
    ast.Constant: lambda _, node: node.value,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.JoinedStr: _joined,
    ast.BinOp: _binary,
    ast.Dict: _dictionary,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Set: _list,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Subscript: _subscript,
    ast.IfExp: _either,
    ast.BoolOp: _either,
    ast.NamedExpr: _walrus,
    ast.Await: lambda program, node: program.evaluate(node.value),
    ast.UnaryOp: lambda program, node: -1 if isinstance(node.op, ast.USub) else program.evaluate(node.operand),
    ast.Call: invoke,
}
