"""A password and a token that must turn up nowhere, and every way in which a command may fail with them."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from conformance.targets.emulated import emulator_process
from tests.cut_short import Cut, command
from tests.hostile import hands_out_a_foreign_url, hostile_server, redirects, repeats_our_token

USER, PASSWORD, TOKEN = "canary-user", "c4n4ry&p4ss/w0rd+42 <é>", "c4n4ry.t0ken_7f3a91.x-42"
REPORTS = [
    word
    for kind, name in {
        "json": "r.json",
        "html": "r.html",
        "markdown": "r.md",
        "junit": "r.xml",
        "sarif": "r.sarif",
    }.items()
    for word in ("--report", f"{kind}={name}")
]
LOUD = ["--", "-vv", "-l", "--full-trace", "--tb=long", "-rA", "-o", "log_cli=true", "--log-cli-level=DEBUG"]
_JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{20,}")


def spellings() -> set[str]:
    """The canaries as they may be written."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    found = {pair}
    for secret in (PASSWORD, TOKEN):
        found |= {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
        found |= {base64.b64encode(secret.encode()).decode(), repr(secret)[1:-1]}
    return found


def leaks(folder: Path) -> list[str]:
    """Where a canary, or any token, stands in the files of a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            found += [f"{path.name}: {one}" for one in spellings() if one in text]
            found += [f"{path.name}: a token, {match[0][:30]}…" for match in _JWT.finditer(text)]
    return found


@dataclass(frozen=True)
class Stage:
    """Where commands run: a folder, what they know, and an instance that knows the password."""

    folder: Path
    environ: Mapping[str, str]
    url: str

    def run(self, *arguments: str, name: str = "said", module: bool = True, **more: str) -> int:
        """One command; what it says is kept in the folder."""
        whole = command(*arguments) if module else [sys.executable, "-P", "-m", *arguments]
        environ = {key: value for key, value in (dict(self.environ) | more).items() if value}
        with (self.folder / name).open("ab") as out:
            return subprocess.run(
                whole, stdout=out, stderr=out, cwd=self.folder, env=environ, timeout=300, check=False
            ).returncode

    def only_token(self) -> dict[str, str]:
        """The environment's part that gives a token in place of a password."""
        return {"CONFORMANCE_TOKEN": TOKEN, "CONFORMANCE_USERNAME": "", "CONFORMANCE_PASSWORD": ""}


def knowing() -> dict[str, str]:
    """The canary user's environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))}
    return clean | {"CONFORMANCE_USERNAME": USER, "CONFORMANCE_PASSWORD": PASSWORD}


def stage_in(folder: Path) -> Iterator[Stage]:
    """A stage, and its instance while it is used."""
    environ = knowing() | {"XDG_STATE_HOME": str(folder / "state")}
    with emulator_process(["--start-seconds", "1"], knowing()) as url:
        yield Stage(folder, environ, url)


def _dead() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def whole_run(stage: Stage) -> None:
    assert stage.run("run", "--target", stage.url, "--suite", "lifecycle", *REPORTS, "--journal", "j", *LOUD) in (
        0,
        1,
        3,
    )


def identity(stage: Stage) -> None:
    stage.run("run", "--target", stage.url, "--suite", "identity", *REPORTS, *LOUD)


def generated(stage: Stage) -> None:
    stage.run("run", "--target", stage.url, "--suite", "generated", "--budget", "quick", *REPORTS)


def wrong_password(stage: Stage) -> None:
    with emulator_process() as url:
        assert stage.run("run", "--target", url, *REPORTS, *LOUD) == 3
        assert stage.run("drift", "--target", url) == 3
        assert stage.run("record", "--target", url, "--output", "kept.har") == 3
        assert stage.run("clean", "--target", url) == 0


def wrong_token(stage: Stage) -> None:
    assert stage.run("run", "--target", stage.url, *REPORTS, *LOUD, **stage.only_token()) == 3
    stage.run("drift", "--target", stage.url, **stage.only_token())


def dead_port(stage: Stage) -> None:
    url = _dead()
    assert stage.run("run", "--target", url, *LOUD) == 3
    assert stage.run("run", "--target", url, *LOUD, **stage.only_token()) == 3
    stage.run("drift", "--target", url)


def dead_token_endpoint(stage: Stage) -> None:
    assert stage.run("run", "--target", stage.url, *LOUD, CONFORMANCE_TOKEN_URL=_dead()) == 3
    with hostile_server(stage.url, redirects) as hostile:
        assert stage.run("run", "--target", stage.url, *LOUD, CONFORMANCE_TOKEN_URL=hostile.elsewhere) == 3


def repeated_token(stage: Stage) -> None:
    with hostile_server(stage.url, repeats_our_token, ("models/list_versions", "workspaces/create")) as hostile:
        stage.run("run", "--target", hostile.url, "--suite", "lifecycle", "--timeout", "3", *REPORTS, *LOUD)
        stage.run("record", "--target", hostile.url, "--timeout", "3", "--output", "kept.har")
    stage.run("check", "kept.har")


def foreign_url(stage: Stage) -> None:
    with hostile_server(stage.url, hands_out_a_foreign_url, ("get_pipeline_external_url",)) as hostile:
        stage.run("run", "--target", hostile.url, "--suite", "lifecycle", "--timeout", "5", *REPORTS, *LOUD)
        assert not hostile.seen_elsewhere


def interrupted(stage: Stage) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        folder = stage.folder / number.name
        arguments = ["run", "--target", stage.url, "--suite", "lifecycle", "--journal", str(folder), *REPORTS, *LOUD]
        with (stage.folder / f"{number.name}.said").open("wb") as out:
            process = subprocess.Popen(
                command(*arguments), stdout=out, stderr=out, cwd=stage.folder, env=dict(stage.environ), text=True,
                start_new_session=True,
            )  # fmt: skip
            assert Cut(process, folder).wait_for_deployment()
            os.kill(process.pid, number)
            process.wait(120)
        stage.run("clean", "--target", stage.url, "--journal", str(folder))


def bare_pytest(stage: Stage) -> None:
    options = ["-vv", "-l", "--full-trace", "--tb=long", "-rA", "-p", "no:cacheprovider", "--log-cli-level=DEBUG"]
    suites = ["pytest", "--pyargs", "conformance.suites.test_lifecycle", "--target"]
    stage.run(*suites, stage.url, *options, module=False)
    stage.run(*suites, _dead(), *options, module=False)
    stage.run(*suites, stage.url, *options, module=False, **stage.only_token())


def wrong_usage(stage: Stage) -> None:
    for arguments in (
        ["run", "--target", "nowhere"], ["run"], ["run", "--target", stage.url, "--only", "nothing"],
        ["run", "--target", stage.url, "--", "--no-such-option"], ["clean"], ["drift"], ["check", "absent.har"],
        ["report", "absent.json"], ["emulate", "--port", "99999"], ["explain", "nothing"], ["waivers", "check", "no"],
        ["record", "--target", stage.url, "--output", "/proc/nowhere/x"], ["faults", "--no"], ["leaks", "absent"],
    ):  # fmt: skip
        assert stage.run(*arguments) in (1, 2, 3), arguments


def emulated(stage: Stage) -> None:
    stage.run("run", "--target", "emulated", "--suite", "lifecycle", *REPORTS, *LOUD)
    stage.run("record", "--target", "emulated", "--output", "emulated.har")


WAYS: tuple[Callable[[Stage], None], ...] = (
    wrong_usage, dead_port, wrong_token, wrong_password, dead_token_endpoint, interrupted, repeated_token, whole_run,
    identity, generated, foreign_url, bare_pytest, emulated,
)  # fmt: skip
QUICK = (dead_port, wrong_token, dead_token_endpoint, repeated_token)
"""Those that the everyday tests take."""
