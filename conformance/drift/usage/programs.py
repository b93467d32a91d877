"""Python programs read for the calls they would make: statements in order, values as far as the text shows them.

Nothing is run. What depends on input, the network or a library is unknown; branches are all taken, loops once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.usage.calls import HOLE, Answer, Call, Fields, Place, Use, operation_of, sent
from conformance.spec.document import Document


class Unknown:
    """The value of anything that cannot be told without running the program."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Function:
    """A function of the program itself, whose body is read again for each call with the arguments it gets, after those
    it was given beforehand (functools.partial)."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Class:
    """A class of the program itself; what its first method, `start`, keeps on `self` is known to the others."""

    start: Function | None


class Session(str):
    """A client of an HTTP library; its text is the base URL that relative ones are joined to."""

    __slots__ = ()


class SdkObject:
    """Something the vendor's SDK made."""


def element(value: Any) -> Any:
    """What a loop over the value gives: an entry of an answer's array, the first of a list."""
    if isinstance(value, Answer):
        return value.part(0) if value.at else UNKNOWN
    return value[0] if isinstance(value, list) and value else UNKNOWN


def text_of(value: Any) -> str:
    """A value within a text; HOLE where it is not known."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else HOLE


def added(left: Any, right: Any) -> Any:
    """`left + right`: texts and lists are joined as far as they are known."""
    if isinstance(left, str) or isinstance(right, str):
        return text_of(left) + text_of(right)
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return UNKNOWN


_NESTING = 6


@dataclass
class Program:
    """One program: `names` its variables by their text (`url`, `self.url`), `uses` what was found, in order.

    `evaluation` gives the value of an expression, given so that what expressions mean stands in modules of its own;
    `shell` the shell commands of the notebook cell at hand, by line.
    """

    document: Document
    evaluation: Callable[[Program, ast.expr], Any]
    uses: list[Use] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    shell: dict[int, str] = field(default_factory=dict)
    calls: list[ast.Call] = field(default_factory=list)
    """The calls of the program's own functions that are being read, the outermost first."""
    depth: int = 0
    place: Callable[[int], Place] = field(default=lambda line: Place("", line))

    def read(self, statements: Iterable[ast.stmt], place: Callable[[int], Place]) -> None:
        """Take a module, or a cell, into the program."""
        self.place = place
        self.execute(statements)

    def finish(self) -> None:
        """Read the functions nothing in the program called, with unknown arguments: somebody else may call them."""
        for name, function in list(self.names.items()):
            if isinstance(function, Function) and name not in self.called:
                self.run(function, [], {})

    def run(self, function: Function, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """What a function of the program returns for these arguments; UNKNOWN where calls are nested too deep."""
        if self.depth >= _NESTING:
            return UNKNOWN
        node, outer = function.node, dict(self.names)
        given = keywords
        arguments, keywords = [*function.arguments, *arguments], {**function.keywords, **keywords}
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
        more = arguments[len(names) :]
        defaults = dict(
            zip(reversed(names), reversed([self.evaluate(one) for one in node.args.defaults]), strict=False)
        )
        for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            names.append(one.arg)
            defaults[one.arg] = self.evaluate(default) if default else UNKNOWN
        self.names |= dict.fromkeys(names, UNKNOWN) | defaults | dict(zip(names, arguments, strict=False))
        self.names |= {name: value for name, value in keywords.items() if name in names}
        if node.args.vararg is not None:
            self.names[node.args.vararg.arg] = more
        if node.args.kwarg is not None:
            places = given.places if isinstance(given, Fields) else {}
            self.names[node.args.kwarg.arg] = Fields({k: v for k, v in keywords.items() if k not in names}, places)
        self.depth += 1
        returned = self.evaluate(node.body) if isinstance(node, ast.Lambda) else self.execute(node.body)
        self.depth -= 1
        attributes = {name: value for name, value in self.names.items() if "." in name}
        self.names = outer | attributes
        return returned

    def execute(self, statements: Iterable[ast.stmt]) -> Any:
        """Read statements in order; the first known value that is returned among them, or UNKNOWN."""
        returned: Any = UNKNOWN
        for statement in statements:
            value = self._statement(statement)
            if returned is UNKNOWN:
                returned = value
        return returned

    def _statement(self, node: ast.stmt) -> Any:
        if isinstance(node, ast.Assign):
            value = self.evaluate(node.value)
            for target in node.targets:
                self.bind(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.bind(node.target, self.evaluate(node.value))
        elif isinstance(node, ast.AugAssign):
            self.bind(node.target, added(self.evaluate(node.target), self.evaluate(node.value)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.names[node.name] = Function(node)
        elif isinstance(node, ast.ClassDef):
            self.execute(node.body)
            start = self.names.pop("__init__", None)
            self.names[node.name] = Class(start if isinstance(start, Function) else None)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node)
        elif isinstance(node, ast.Return):
            return self.evaluate(node.value) if node.value else UNKNOWN
        else:
            return self._compound(node)
        return UNKNOWN

    def _compound(self, node: ast.stmt) -> Any:
        """Heads are evaluated, loop variables bound to an element, bodies read in order."""
        if isinstance(node, ast.For | ast.AsyncFor):
            self.bind(node.target, element(self.evaluate(node.iter)))
        for value in ast.iter_child_nodes(node):
            if isinstance(value, ast.expr) and not isinstance(node, ast.For | ast.AsyncFor):
                self.evaluate(value)
            elif isinstance(value, ast.withitem):
                entered = self.evaluate(value.context_expr)
                if value.optional_vars is not None:
                    self.bind(value.optional_vars, entered)
        returned: Any = UNKNOWN
        blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [inner.body for name in ("handlers", "cases") for inner in getattr(node, name, [])]
        for block in blocks:
            value = self.execute(block)
            returned = value if returned is UNKNOWN else returned
        return returned

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        module = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            self.imports[alias.asname or alias.name.split(".")[0]] = module + alias.name

    def bind(self, target: ast.expr, value: Any) -> None:
        """Give a name, an attribute, an entry or several of them a value."""
        if isinstance(target, ast.Name | ast.Attribute):
            self.names[ast.unparse(target)] = value
        elif isinstance(target, ast.Tuple | ast.List):
            values = value if isinstance(value, list) and len(value) == len(target.elts) else None
            for place, inner in enumerate(target.elts):
                self.bind(inner, values[place] if values else element(value))
        elif isinstance(target, ast.Subscript):
            holder, key = self.evaluate(target.value), self.evaluate(target.slice)
            if isinstance(holder, Unknown | SdkObject) and isinstance(target.value, ast.Name | ast.Attribute):
                holder = self.names[ast.unparse(target.value)] = Fields()
            if isinstance(holder, Fields) and isinstance(key, str):
                holder[key] = value
                holder.places[key] = self.place(target.lineno)

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression as far as it is known: a constant, text with HOLEs, Fields, a list, an Answer."""
        return self.evaluation(self, node)

    def send(self, call: Call) -> Answer | None:
        """Note the call if it is of an operation, and give its answer."""
        operation = operation_of(call, self.document)
        if operation is None:
            return None
        last = self.document.operation(operation).path.rsplit("/", 1)[-1]
        site = next((one for one in reversed(self.calls) if last in ast.unparse(one)), None)
        if site is not None:  # the request is in a function, and this call of it names the operation
            call.place = self.place(site.lineno)
        self.uses.extend(sent(call, operation))
        return Answer(operation, by=call.by)

    def touch(self, answer: Answer, line: int, *, whole: bool = False) -> None:
        """Note that a part of an answer is read, or goes on as a whole."""
        self.uses.append(Use(answer.operation, answer.at, self.place(line), answer.by, whole))

    def taken(self, value: Any, key: Any, line: int) -> Any:
        """The value under a key: of a dictionary, a list, or an answer, where it counts as read."""
        if isinstance(value, Answer):
            return self._read(value, key, line)
        if isinstance(value, Fields) and isinstance(key, str):
            return value.get(key, UNKNOWN)
        if isinstance(value, list) and isinstance(key, int):
            with suppress(IndexError):
                return value[key]
        return UNKNOWN

    def _read(self, answer: Answer, key: Any, line: int) -> Any:
        if isinstance(key, list):
            return [self._read(answer, one, line) for one in key if isinstance(one, str)] and answer
        if isinstance(key, str) and answer.at.endswith("[]") and "." in key:
            parts: Any = answer
            for piece in key.split("."):
                parts = parts.part(piece)
        else:
            parts = answer.part(key)
        if isinstance(key, str):
            self.touch(parts, line)
        return parts
