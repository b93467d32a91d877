"""What is written for people is true: tables are the program's, commands exist, scripts run, output is what comes.

`README=write pytest tests/test_readme.py` writes specs/options.md, and the parts between `<!-- begin: … -->` and
`<!-- end: … -->` of each README, anew.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import pytest

from conformance import cli
from conformance.emulator.faults import FAULTS
from conformance.spec.requirements import load
from conformance.targets.emulated import emulator_process

ROOT = Path(__file__).resolve().parent.parent
README, OPTIONS = ROOT / "README.md", ROOT / "specs" / "options.md"
PAGES = (README, *(ROOT / folder / "README.md" for folder in ("specs", "fixtures", "tests")))
LONGEST = 250
"""Lines of the README: it is for somebody who gives it five minutes."""

WRITING = os.environ.get("README") == "write"


def command(name: str) -> click.Command:
    found = getattr(importlib.import_module(f"conformance.cli.{name}"), name)
    assert isinstance(found, click.Command)
    return found


def options_table(known: click.Command) -> str:
    rows = ["| option | meaning |", "|---|---|"]
    for option in known.params:
        if not isinstance(option, click.Option) or option.hidden or "--help" in option.opts:
            continue
        given = option.metavar or (
            "\\|".join(map(str, option.type.choices)) if isinstance(option.type, click.Choice) else ""
        )
        if not given and not option.is_flag:
            given = {"integer": "N", "integer range": "N", "float": "S", "float range": "S"}.get(
                option.type.name, "TEXT"
            )
        given = given.replace("\\|", "|").replace("|", "\\|")  # in a table a bar ends the cell
        spelled = f"`{', '.join(option.opts)}{' ' + given if given else ''}`"
        shown = option.show_default if isinstance(option.show_default, str) else option.default
        default = f" (default {shown})" if option.show_default and not option.is_flag else ""
        rows.append(f"| {spelled} | {' '.join((option.help or '').split())}{default} |")
    return "\n".join(rows)


def every_command() -> Iterator[tuple[str, click.Command]]:
    for name in cli.COMMANDS:
        known = command(name)
        yield name, known
        if isinstance(known, click.Group):
            yield from ((f"{name} {sub}", one) for sub, one in known.commands.items())


def options() -> str:
    lines = ["# The options of every command", "", "Made by `README=write pytest tests/test_readme.py`.", ""]
    for name, known in every_command():
        if isinstance(known, click.Group):
            continue
        arguments = "".join(
            f" {one.make_metavar(click.Context(known))}" for one in known.params if isinstance(one, click.Argument)
        )
        lines += [
            f"## conformance {name}{arguments}".rstrip(),
            "",
            " ".join((known.help or "").split("\n\n")[0].split()),
            "",
        ]
        table = options_table(known)
        lines += [table, ""] if table.count("\n") > 1 else []
    return "\n".join(lines).rstrip() + "\n"


def suites() -> str:
    rows = ["| suite | what it is |", "|---|---|"]
    for file in sorted((ROOT / "conformance" / "suites").glob("test_*.py")):
        said = re.match(r'"""(.*?[.:])(?:\s|""")', file.read_text(encoding="utf-8"), re.DOTALL)
        assert said, f"{file.name} does not begin by saying what it is"
        rows.append(f"| {file.stem.removeprefix('test_')} | {' '.join(said[1].split()).rstrip('.:')} |")
    return "\n".join(rows)


def counts() -> str:
    rows = load().rows
    gating = sum(row.gates for row in rows)
    return (
        f"Release 2023.4 has {len(rows)} requirements, of which {gating} gate; the emulated instance can have "
        f"{len(FAULTS)} defects."
    )


def run_of(*arguments: str, folder: Path, **environ: str) -> str:
    """What a command prints in an empty folder, in the order in which it came."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))}
    clean |= {"XDG_STATE_HOME": str(folder / "state")} | environ
    done = subprocess.run(
        [sys.executable, "-P", "-m", "conformance", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, cwd=folder, env=clean, check=False,
    )  # fmt: skip
    printed = re.sub(r"\n\n+", "\n", done.stdout.strip())  # blank lines are for a screen
    return f"```text\n{printed}\n```"


def conformant_run(folder: Path) -> str:
    return run_of("run", "--target", "emulated", "--budget", "quick", "--seed", "1", folder=folder)


def broken_run(folder: Path) -> str:
    only = ("--only", "status.get-deployment.tells-each-engines-address", "--budget", "quick", "--seed", "1")
    with emulator_process(["--fault", "engine-without-ip"]) as url:
        user = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
        return run_of("run", "--target", url, *only, folder=folder, **user)


_OF_THE_RUN = (
    (r"\d+\.\d s", "N s"), (r"127\.0\.0\.1:\d+", "HOST"), (r"\bconformance-[0-9a-f]{8}", "conformance-RUN"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"), (r"\b[0-9a-f]{64}\b", "SHA"),
    (r"\bid [0-9a-f]{8}-[0-9a-f]{6}-\d+", "id REQUEST"),
    (r"\bid \d+", "id N"), (r"(actual +)\d+", r"\1N"), (r'(_id": )\d+', r"\1N"),
    (r"broke in \d+ of \d+", "broke in N of N"),
    (r"after \d+ earlier requests?", "after N earlier requests"),
    (r"-s\d+-", "-sN-"), (r'"conformance-RUN[^"]*"', '"NAME"'),
)  # fmt: skip


def of_every_run(printed: str) -> str:
    """An output without what differs from run to run: times, ports, names, ids; line breaks may follow from them."""
    for pattern, instead in _OF_THE_RUN:
        printed = re.sub(pattern, instead, printed)
    return " ".join(printed.split())


def contradictions() -> str:
    rows = ["| requirement | readings | we hold to | why |", "|---|---|---|---|"]
    for row in load().rows:
        if "readings" in row.notes:
            readings = "; ".join(f"**{name}**: {said}" for name, said in row.notes["readings"].items())
            rows.append(f"| `{row.id}` | {readings} | {row.notes['held']} | {row.notes['why']} |")
    return "\n".join(rows)


BLOCKS: dict[tuple[Path, str], Callable[[], str]] = {
    (PAGES[3], "suites"): suites,
    (PAGES[1], "contradictions"): contradictions,
    (PAGES[3], "counts"): counts,
}
OUTPUTS: dict[str, Callable[[Path], str]] = {
    "output of a conformant run": conformant_run,
    "output of a broken run": broken_run,
}


def block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- begin: {re.escape(name)} -->\n)(.*?)(\n?<!-- end: {re.escape(name)} -->)", re.DOTALL)


def part(page: Path, name: str, due: str) -> str:
    """What stands in that part of a page; `due` where it is being written."""
    text = page.read_text(encoding="utf-8")
    found = block(name).search(text)
    assert found, f"{page.name} has no part '{name}'"
    if WRITING:
        page.write_text(block(name).sub(lambda m: m[1] + due + "\n" + m[3].lstrip("\n"), text), encoding="utf-8")
        return due
    return found[2]


@pytest.mark.parametrize(("page", "name"), BLOCKS, ids=[name for _, name in BLOCKS])
def test_a_table_is_the_programs_own(page: Path, name: str) -> None:
    due = BLOCKS[page, name]()
    assert part(page, name, due).strip() == due.strip()


def test_the_options_are_those_of_every_command() -> None:
    if WRITING:
        OPTIONS.write_text(options(), encoding="utf-8")
    assert OPTIONS.read_text(encoding="utf-8") == options()


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_is_what_a_run_prints(name: str, tmp_path: Path) -> None:
    due = OUTPUTS[name](tmp_path)
    assert of_every_run(part(README, name, due)) == of_every_run(due)


def script(name: str) -> str:
    found = block(name).search(README.read_text(encoding="utf-8"))
    assert found
    return found[2].strip().removeprefix("```python\n").removesuffix("```")


def ran(arguments: Sequence[str], folder: Path, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300, cwd=folder, env=os.environ | environ,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_script_with_our_recordings_passes(tmp_path: Path) -> None:
    (tmp_path / "test_tool.py").write_text(script("script of recordings"), encoding="utf-8")
    assert "1 passed" in ran(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_tool.py"], tmp_path)


def test_the_script_with_the_client_creates_a_pipeline(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(script("script of the client"), encoding="utf-8")
    with emulator_process([]) as url:
        user = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
        printed = ran(["tool.py"], tmp_path, CONFORMANCE_TARGET=url, **user)
    assert re.fullmatch(r"\d+ [0-9a-f-]{36}\n", printed)


def test_the_script_of_an_instance_passes(tmp_path: Path) -> None:
    (tmp_path / "test_tool.py").write_text(script("script of an instance"), encoding="utf-8")
    assert "1 passed" in ran(["-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path)


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST


def commands() -> Iterator[list[str]]:
    for page in PAGES:
        for fenced in re.findall(r"```(?:sh|yaml)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in fenced.replace("\\\n", " ").splitlines():
                match = re.search(r"(?:^|[\s(])(conformance [a-z].*)$", line.split(" #")[0])
                if match and "uses:" not in line:
                    yield shlex.split(re.split(r"\s(?:&&|\||>|;)", match[1])[0])


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)[:60]) for words in commands()])
def test_a_command_exists_with_its_options(words: list[str]) -> None:
    assert words[1] in cli.COMMANDS
    known = command(words[1])
    if isinstance(known, click.Group):
        assert words[2] in known.commands
        known = known.commands[words[2]]
    spelled = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words[2:]:
        if word == "--":
            break
        if word.startswith("--") and word != "--help":
            assert word.split("=")[0] in spelled, f"{words[1]} has no option {word}"


def test_every_command_stands_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in cli.COMMANDS if f"conformance {name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
