"""The README is true: its tables are those of the program, its commands exist, its output is what comes.

`README=write pytest tests/test_readme.py` writes the parts between `<!-- begin: … -->` and `<!-- end: … -->` anew.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from conformance import cli
from conformance.spec.requirements import load

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PARAGRAPH_COMMANDS = ("run", "emulate", "check", "record", "drift", "clean")


def command(name: str) -> click.Command:
    found = getattr(importlib.import_module(f"conformance.cli.{name}"), name)
    assert isinstance(found, click.Command)
    return found


def options_table(name: str) -> str:
    rows = ["| option | meaning |", "|---|---|"]
    for option in command(name).params:
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
        spelled = f"`{option.opts[0]}{' ' + given if given else ''}`"
        default = f" (default {option.default})" if option.show_default and not option.is_flag else ""
        rows.append(f"| {spelled} | {' '.join((option.help or '').split())}{default} |")
    return "\n".join(rows)


def contradictions() -> str:
    rows = ["| requirement | readings | we hold to | why |", "|---|---|---|---|"]
    for row in load().rows:
        if "readings" in row.notes:
            readings = "; ".join(f"**{name}**: {said}" for name, said in row.notes["readings"].items())
            rows.append(f"| `{row.id}` | {readings} | {row.notes['held']} | {row.notes['why']} |")
    return "\n".join(rows)


BLOCKS: dict[str, Callable[[], str]] = {
    **{f"options of {name}": lambda name=name: options_table(name) for name in PARAGRAPH_COMMANDS},
    "contradictions": contradictions,
}


def block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- begin: {re.escape(name)} -->\n)(.*?)(\n?<!-- end: {re.escape(name)} -->)", re.DOTALL)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_table_is_the_programs_own(name: str) -> None:
    text, due = README.read_text(encoding="utf-8"), BLOCKS[name]()
    found = block(name).search(text)
    assert found, f"the README has no part '{name}'"
    if os.environ.get("README") == "write":
        README.write_text(block(name).sub(lambda m: m[1] + due + "\n" + m[3].lstrip("\n"), text), encoding="utf-8")
        return
    assert found[2].strip() == due.strip()


def commands() -> Iterator[list[str]]:
    for fenced in re.findall(r"```(?:sh|yaml)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
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


def test_links_within_the_project_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
