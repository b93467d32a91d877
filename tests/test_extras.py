"""What is not installed is named with its extra, and what needs none of them works without."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conformance import cli
from conformance.data import FIXTURES, SPECS
from conformance.errors import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = {"graphql-core": "graphql", "python-multipart": "multipart"}
EVERY = [name for names in EXTRAS.values() for name in names]


def without(names: list[str], code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process in which these cannot be imported; no plugin of theirs is loaded either."""
    command = [sys.executable, "-P", "-c", f"import sys; sys.modules.update(dict.fromkeys({names!r}))\n{code}"]
    environ = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environ)


def command_without(names: list[str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return without(names, f"from conformance.cli import main; main({list(arguments)!r})", folder)


def test_extras_are_what_the_package_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extra, names in EXTRAS.items():
        brought = [line.partition(">")[0] for line in declared[extra] if not line.startswith("wallaroo-conformance[")]
        assert sorted(IMPORTED.get(name, name) for name in brought) == sorted(names)
    assert f"wallaroo-conformance[{','.join(sorted(EXTRAS))}]" in declared["tests"]


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("generated", ["run", "--target", "http://127.0.0.1:9"]),
        ("generated", ["run", "--target", "http://127.0.0.1:9", "--suite", "generated"]),
        ("emulated", ["emulate", "--port", "0"]),
        ("emulated", ["run", "--target", "emulated", "--suite", "lifecycle"]),
        ("rehearse", ["rehearse", "--release", "2026.1", "notebook.ipynb"]),
    ],
)
def test_what_is_missing_is_named_with_its_extra(extra: str, arguments: list[str], tmp_path: Path) -> None:
    done = command_without(list(EXTRAS[extra]), *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert f"which is not installed: pip install 'wallaroo-conformance[{extra}]'." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", str(FIXTURES / "recordings")],
        ["requirements"],
        ["faults"],
        ["explain", "pipelines.deploy.again-returns-the-same-id"],
        ["drift", "--from", "2023.4", "--to", "2026.1", "--fail-on", "never"],
        ["validate", str(SPECS / "pipelines.openapi.yaml")],
    ],
    ids=lambda arguments: arguments[0],
)
def test_judging_comparing_and_telling_need_no_extra(arguments: list[str], tmp_path: Path) -> None:
    done = command_without(EVERY, *arguments, folder=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_recordings_are_judged_by_pytest_without_extras(tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-p", "conformance.run.plugin"]
    arguments = [*options, "--pyargs", "conformance.suites", "-k", "replayed"]
    done = without(EVERY, f"import pytest; sys.exit(pytest.main({arguments!r}))", tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_help_lists_every_command_as_it_describes_itself() -> None:
    for name, sentence in cli.COMMANDS.items():
        found = cli.group.get_command(None, name)  # type: ignore[arg-type]
        assert found is not None
        assert found.get_short_help_str(200) == sentence


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom conformance.cli import main\ntry:\n    main([sys.argv[1]])\nfinally:\n"
        "    print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, option], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0
    heavy = [*EVERY, "numpy", "pyarrow", "onnx", "httpx", "pytest", "rich", "openapi_core", "jsonschema_rs", "yaml"]
    assert [name for name in heavy if f"'{name}'" in done.stderr] == []
