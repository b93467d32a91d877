from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from conformance.cli import COMMANDS, group
from tests.conftest import SMOKE, Path


def completed(shell: str, words: str) -> list[str]:
    environment = {
        **os.environ, "_CONFORMANCE_COMPLETE": f"{shell}_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1) if shell != "fish" else words.split()[-1],
    }  # fmt: skip
    code = "from conformance.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("shell", "words", "name"),
    [
        ("bash", "conformance red", "redact"),
        ("zsh", "conformance run --suite ref", "refusals"),
        ("fish", "conformance explain pipelines.deploy.again", "pipelines.deploy.again-returns-the-same-id"),
        ("bash", "conformance emulate --fault deploy-again-gives", "deploy-again-gives-a-new-id"),
        ("bash", "conformance faults --only deploy-again-gives", "deploy-again-gives-a-new-id"),
        ("zsh", "conformance drift --from 2023.4 --to 2026", "2026.1"),
        ("fish", "conformance record --profile 2025", "2025.2"),
    ],
)
def test_a_shell_completes_commands_and_names(shell: str, words: str, name: str) -> None:
    assert any(name in word for word in completed(shell, words))


def test_every_place_of_the_smoke_selection_is_there() -> None:
    here = Path(__file__).parent.parent
    assert [name for name in SMOKE if not (here / name).exists()] == []


def test_every_option_that_takes_a_release_completes_releases() -> None:
    bare = [
        f"{name} {option.opts[0]}"
        for name in COMMANDS
        for option in (group.get_command(click.Context(group), name) or click.Command("")).params
        if {"--profile", "--from", "--to", "--release"} & set(option.opts)
        and not option.shell_complete(click.Context(group), "20")
    ]
    assert bare == []
