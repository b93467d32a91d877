"""What travels in the wheel: every module, the specification, the catalogue and the fixtures, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent
LEFT_BEHIND = {"__pycache__", ".pytest_cache"}


def files_of(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        str(path.relative_to(ROOT)) for path in found if not LEFT_BEHIND & set(path.parts) and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    built = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"]))
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_every_module_travels(wheel: set[str]) -> None:
    assert files_of("conformance") <= wheel


@pytest.mark.parametrize("folder", ["specs", "fixtures"])
def test_what_the_package_reads_travels_inside_it(wheel: set[str], folder: str) -> None:
    assert {f"conformance/_data/{name}" for name in files_of(folder)} <= wheel


def test_nothing_else_travels(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"conformance"}


def test_the_vendors_own_model_does_not_travel(wheel: set[str]) -> None:
    assert not [name for name in wheel if name.endswith("ccfraud.onnx")]


def test_command_and_plugin_are_declared(wheel: set[str]) -> None:
    assert [name for name in wheel if name.endswith("entry_points.txt")]
