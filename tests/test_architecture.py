"""The rules about rooms: imports run downward only, and a tool lives in as few rooms as it can."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "conformance"

# Each layer may import itself and what stands below it; a room not named here stands in no layer and fails the test.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"cli", "__main__"}),
    frozenset({"plugin", "plugin_recorded"}),
    frozenset({"suites"}),
    frozenset({"options"}),
    frozenset({"runner"}),
    frozenset(
        {
            "client",
            "reporting",
            "recording",
            "drift",
            "session",
            "settings",
            "replay",
            "timeline",
            "baseline",
            "waivers",
            "journal",
            "reach",
            "patience",
            "scope",
            "tally",
            "cleaning",
            "custody",
        }
    ),
    frozenset({"checks", "targets"}),
    frozenset({"spec", "ledger", "memory", "verdict", "emulator", "plain", "leaks"}),
    frozenset({"model", "data", "multipart", "tensors", "redaction", "sensitive"}),
    frozenset({"errors"}),
)

# A tool and the rooms that may import it.
TOOLS = {
    "onnxruntime": {"emulator"},
    "sqlite3": {"emulator"},
    "starlette": {"emulator"},
    "uvicorn": {"emulator"},
    "joserfc": {"emulator"},
    "schemathesis": {"suites"},
    "respx": {"targets", "plugin_recorded"},  # the latter is its pytest side
    "openapi_core": {"spec"},
    "click": {"cli"},
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
