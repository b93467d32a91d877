"""What expressions of a user's program mean: constants, text with holes, parts of answers, and calls.

A call may be an HTTP request, a method of the vendor's SDK, curl, a function of the program, or a step on a value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from conformance.drift.usage.calls import HOLE, Answer, Call, CurlRequest, Fields, Opened, Use, curl_request
from conformance.drift.usage.programs import (
    UNKNOWN,
    Class,
    Function,
    Program,
    SdkObject,
    Session,
    added,
    element,
    text_of,
)

METHODS: dict[str, tuple[str, ...]] = {
    "create_workspace": ("workspaces.create",),
    "list_workspaces": ("workspaces.list",),
    "get_workspace": ("workspaces.list",),
    "build_pipeline": ("pipelines.create",),
    "create_version": ("pipelines.create",),
    "upload_model": ("models.upload-and-convert",),
    "deploy": ("pipelines.create", "pipelines.deploy", "status.get-deployment"),
    "undeploy": ("pipelines.undeploy", "status.get-deployment"),
    "status": ("status.get-deployment",),
    "wait_for_running": ("status.get-deployment",),
    "wait_for_undeployed": ("status.get-deployment",),
    "infer": ("pipelines.infer",),
    "infer_from_file": ("pipelines.infer",),
    "async_infer": ("pipelines.infer",),
    "parallel_infer": ("pipelines.infer",),
    "batch_parallel_infer": ("pipelines.infer",),
}
"""Method to operations, in the order they are called; on objects of the SDK, or any object where it is imported."""

INFERS = tuple(name for name, operations in METHODS.items() if operations == ("pipelines.infer",))

GENERATED: dict[str, str] = {
    "pipelines_create": "pipelines.create",
    "pipelines_deploy": "pipelines.deploy",
    "pipelines_undeploy": "pipelines.undeploy",
    "pipelines_copy_pipeline": "pipelines.copy",
    "status_get_deployment": "status.get-deployment",
    "admin_get_pipeline_external_url": "admin.get-pipeline-external-url",
    "models_upload_and_convert": "models.upload-and-convert",
    "upload_and_convert": "models.upload-and-convert",
    "models_list_versions": "models.list-versions",
    "workspaces_create": "workspaces.create",
    "workspaces_list": "workspaces.list",
}
"""Module of the SDK's generated client to the operation its `sync` and `asyncio` functions call."""

CALLED = ("sync", "sync_detailed", "asyncio", "asyncio_detailed")


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


def _lambda(program: Program, node: ast.Lambda) -> Any:
    return Function(node)


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
    named = [one for one in node.keywords if one.arg]
    places = {str(one.arg): program.place(one.value.lineno) for one in named}
    keywords: dict[str, Any] = Fields({str(one.arg): program.evaluate(one.value) for one in named}, places)
    for spread in (one for one in node.keywords if one.arg is None):
        value = program.evaluate(spread.value)
        keywords.update(value if isinstance(value, Fields) else {})
    for step in (request_call, curl_call, _own_function, sdk_call, _answered, _constructed, _stepped):
        found = step(program, node, name, receiver, arguments, keywords)
        if found is not None:
            return found
    _escapes(program, node, name, arguments, keywords)
    return UNKNOWN


def _own_function(
    program: Program, node: ast.Call, name: str, receiver: Any, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    function = program.names.get(ast.unparse(node.func), program.names.get(name))
    if isinstance(function, Class):
        program.called.add("__init__")
        return program.run(function.start, [UNKNOWN, *arguments], keywords) if function.start else UNKNOWN
    if not isinstance(function, Function):
        return None
    program.called.add(name)
    taken = [one.arg for one in function.node.args.args]
    bound = [receiver, *arguments] if taken[:1] in (["self"], ["cls"]) else arguments
    program.calls.append(node)
    returned = program.run(function, bound, keywords)
    program.calls.pop()
    return returned


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
    """Clients, dictionaries, frames, files and functions made from what is known."""
    if name == "open":
        named = arguments[0] if arguments and isinstance(arguments[0], str) else receiver
        return Opened(text_of(named))
    if name in ("Path", "PurePath", "abspath", "expanduser", "fspath") and arguments:
        return arguments[0]
    if name == "partial" and arguments and isinstance(arguments[0], Function):
        of = arguments[0]
        return Function(of.node, (*of.arguments, *arguments[1:]), {**of.keywords, **keywords})
    setting = name == "getenv" or (name == "get" and ast.unparse(node.func).endswith("environ.get"))
    if setting and len(arguments) > 1 and isinstance(arguments[1], str):
        return arguments[1]  # where the variable is not set; what it names is called alike
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
            form=_form(keywords.get("files")),
            query=keywords.get("params"),
            headers=keywords.get("headers"),
        )
    )


def _form(files: Any) -> Any:
    """The parts of a form, which requests and httpx take as a dictionary or as pairs."""
    pairs = [one for one in files if isinstance(one, list) and len(one) == 2] if isinstance(files, list) else []
    return Fields({str(name): part for name, part in pairs}) if pairs else files


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
    """`@path;filename=NAME;type=TYPE` is a file, `<path` the text in one, `text;type=TYPE` a field (curl's --form)."""
    content, *options = value.split(";")
    named = next((one.removeprefix("filename=") for one in options if one.startswith("filename=")), "")
    if content.startswith("@"):
        return [named.strip('"') or Opened(content[1:].strip('"')).name, UNKNOWN]
    return UNKNOWN if content.startswith("<") else value.rsplit(";type=", 1)[0]


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
    if name == "upload_model":
        _uploaded(program, node, arguments, keywords)
    return Answer("pipelines.infer", "response.body[]", "sdk") if name in INFERS else SdkObject()


def _uploaded(program: Program, node: ast.Call, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """The file that the SDK uploads goes by the name its caller gives (`upload_model(name, path, framework)`)."""
    path = keywords.get("path", arguments[1] if len(arguments) > 1 else UNKNOWN)
    if isinstance(path, str):
        place = program.place(node.lineno)
        program.uses.append(
            Use(METHODS["upload_model"][0], "request.body.file", place, "sdk", detail=Opened(path).name)
        )


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
    ast.Lambda: _lambda,
    ast.Call: invoke,
}
