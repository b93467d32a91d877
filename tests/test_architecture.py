"""The rules about rooms: imports run downward only, and a tool lives in as few rooms as it can."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "conformance"

# Each layer may import itself and what stands below it; a room not named here stands in no layer and fails the test.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"cli", "__main__"}),
    frozenset({"compare", "rehearse", "load"}),
    frozenset({"suites"}),
    frozenset({"run"}),
    frozenset({"reporting", "drift"}),
    frozenset({"recording"}),
    frozenset({"checks", "targets"}),
    frozenset({"ledger"}),
    frozenset({"spec", "api", "emulator"}),
    frozenset({"redaction"}),
    frozenset({"model"}),
    frozenset({"errors", "data"}),
)

# A tool and the rooms that may import it.
TOOLS = {
    "onnxruntime": {"emulator"},
    "sqlite3": {"emulator"},
    "starlette": {"emulator"},
    "uvicorn": {"emulator"},
    "joserfc": {"emulator"},
    "schemathesis": {"suites"},
    "respx": {"targets", "recording"},  # the latter has its pytest side
    "openapi_core": {"spec"},
    "click": {"cli"},
    "locust": {"load"},
    "gevent": {"load"},
    "geventhttpclient": {"load"},
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "conformance":
                yield from (f"conformance.{alias.name}" for alias in node.names)


def layer_of(room: str) -> int | None:
    return next((index for index, rooms in enumerate(LAYERS) if room in rooms), None)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert not list(imports_of(path)), "the package's own module imports nothing"
        return
    layer = layer_of(room)
    assert layer is not None, f"the room '{room}' stands in no layer; say in which"
    for name in imports_of(path):
        if name.startswith("conformance."):
            other = name.split(".")[1]
            below = layer_of(other)
            assert below is not None, f"{path.name} imports the room '{other}', which stands in no layer"
            assert below >= layer, f"{path.name} in '{room}' imports upward from '{other}'"


@pytest.mark.parametrize("path", [p for p in modules() if room_of(p) == "emulator"], ids=lambda path: path.name)
def test_the_emulator_imports_nothing_that_judges_it(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("conformance.")}
    assert ours <= {"emulator", "data", "errors"}


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_a_tool_lives_in_its_rooms(tool: str) -> None:
    users = {room_of(path) for path in modules() for name in imports_of(path) if name.split(".")[0] == tool}
    assert users <= TOOLS[tool]


@cache
def graph_of_modules() -> dict[str, set[str]]:
    """Each module's file with the files it imports, imports under TYPE_CHECKING and inside functions included."""
    names = {".".join(("conformance", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in modules()}
    files = {name.removesuffix(".__init__"): str(path.relative_to(PACKAGE)) for name, path in names.items()}
    graph: dict[str, set[str]] = {file: set() for file in files.values()}
    for name, path in names.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted = [full if full in files else node.module for full in inner]
            else:
                continue
            own = files[name.removesuffix(".__init__")]
            graph[own] |= {files[other] for other in wanted if other in files} - {own}
    return graph


def cycle_through(file: str, graph: dict[str, set[str]]) -> list[str]:
    """The shortest way from a file back to itself along imports, empty where there is none."""
    ways = [[file, other] for other in sorted(graph[file])]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        if way[-1] == file:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, other] for other in sorted(graph[way[-1]])]
    return []


@pytest.mark.parametrize("file", sorted(graph_of_modules()))
def test_no_module_imports_itself_by_way_of_others(file: str) -> None:
    assert " → ".join(cycle_through(file, graph_of_modules())) == ""
