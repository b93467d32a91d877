"""The gate's CI files: valid by their formats' own schemas, and their scripts do what they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import check_jsonschema
import click
import jsonschema_rs
import pytest
import yaml

from conformance.cli import COMMANDS, group
from conformance.cli.run import run
from conformance.run.shards import Shard

ROOT = Path(__file__).resolve().parent.parent
ACTION = ROOT / ".github/actions/conformance"
SCHEMAS = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor"

pytestmark = pytest.mark.skipif(not ACTION.is_dir(), reason="CI files are part of the checkout, not of the package")


def loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("github-actions", ".github/actions/conformance/action.yml"),
        ("github-workflows", ".github/workflows/conformance.yml"),
        ("github-workflows", "tests/sample-project/.github/workflows/api.yml"),
        ("gitlab-ci", "tests/sample-project/.gitlab-ci.yml"),
        ("github-workflows", "tests/sample-project/.github/workflows/shards.yml"),
        ("gitlab-ci", "tests/sample-project/shards.gitlab-ci.yml"),
    ],
)
def test_each_ci_file_is_as_its_service_reads_it(schema: str, path: str) -> None:
    document = json.loads(json.dumps(loaded(path), default=str).replace('"true": {"', '"on": {"'))
    jsonschema_rs.validator_for(json.loads((SCHEMAS / f"{schema}.json").read_text())).validate(document)


def test_every_input_of_the_action_reaches_its_script_by_the_environment() -> None:
    action = loaded(".github/actions/conformance/action.yml")
    text = (ACTION / "action.yml").read_text()
    for name in action["inputs"]:
        assert f"inputs.{name}" in text, f"the input {name} does nothing"
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), "an expression in a script would be read as shell"
    given = set(action["runs"]["steps"][2]["env"])
    assert set(re.findall(r"\$\{?([A-Z_]+)", (ACTION / "run.sh").read_text())) - {
        "CONFORMANCE_COMMAND", "RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY",
    } == given  # fmt: skip


def test_every_option_of_run_is_an_input_of_the_action() -> None:
    inputs = set(loaded(".github/actions/conformance/action.yml")["inputs"])
    said = (ACTION / "run.sh").read_text()
    for option in run.params:
        name = option.opts[-1].removeprefix("--") if isinstance(option, click.Option) else "list"
        if name not in ("report", "list"):
            assert name in inputs, f"the action has no input {name}"
            assert f"--{name} " in said


def test_the_workflow_and_the_sample_give_the_action_inputs_it_has() -> None:
    known = set(loaded(".github/actions/conformance/action.yml")["inputs"])
    used = 0
    samples = "tests/sample-project/.github/workflows"
    for path in (".github/workflows/conformance.yml", f"{samples}/api.yml", f"{samples}/shards.yml"):
        for job in loaded(path)["jobs"].values():
            for step in job["steps"]:
                if "actions/conformance" in step.get("uses", ""):
                    used += 1
                    assert set(step["with"]) <= known
                    assert "target" in step["with"]
    assert used == 4


@pytest.fixture
def action(tmp_path: Path) -> Any:
    """Runs the action's script with a command that notes its arguments, writes the reports and ends as told."""

    def run(
        code: int = 0, *, writes: bool = True, said: str = "", **inputs: str
    ) -> tuple[list[str], dict[str, str], int]:
        command, noted, output = tmp_path / "command", tmp_path / "arguments", tmp_path / "output"
        write = 'for a in "$@"; do case $a in json=*|sarif=*) echo {} > "${a#*=}";; esac; done' if writes else ":"
        command.write_text(
            f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" > {noted}\n{write}\nprintf "%s\\n" "{said}" >&2\nexit {code}\n'
        )
        command.chmod(0o755)
        output.touch()
        names = loaded(".github/actions/conformance/action.yml")["runs"]["steps"][2]["env"]
        environment = {
            **os.environ, **dict.fromkeys(names, ""), "TARGET": "emulated", "BUDGET": "quick", "STRICT": "false",
            "WORKERS": "1", "FAIL_ON": "any", "REPORTS": str(tmp_path / "reports"), "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "CONFORMANCE_COMMAND": str(command), **inputs,
        }  # fmt: skip
        done = subprocess.run(["bash", str(ACTION / "run.sh")], env=environment, cwd=tmp_path, timeout=30)
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        output.unlink()
        return noted.read_text().splitlines(), outputs, done.returncode

    return run


def test_the_action_leaves_out_what_was_not_asked(action: Any, tmp_path: Path) -> None:
    arguments, outputs, code = action()
    assert code == 0
    assert arguments[:9] == ["run", "--target", "emulated", "--budget", "quick", "--workers", "1", "--fail-on", "any"]
    assert not {"--strict", "--suite", "--waivers", "--baseline", "--seed", "--profile"} & set(arguments)
    assert outputs == {
        "exit-code": "0",
        "verdict": "conformant",
        "result": str(tmp_path / "reports/conformance.json"),
        "sarif": str(tmp_path / "reports/conformance.sarif"),
    }


def test_the_action_passes_on_what_was_asked_and_reads_none_of_it_as_shell(action: Any, tmp_path: Path) -> None:
    arguments, _, _ = action(
        TARGET="http://x/$(touch owned)", STRICT="true", SUITES="lifecycle identity", ONLY="pipelines.* a;touch owned",
        WAIVERS="my waivers.toml", BASELINE="old.json", SEED="7", PROFILE="2026.1", FAIL_ON="new",
    )  # fmt: skip
    joined = "\n".join(arguments)
    for pair in ("--target\nhttp://x/$(touch owned)", "--suite\nidentity", "--only\npipelines.*", "--only\na;touch",
                 "--waivers\nmy waivers.toml", "--baseline\nold.json", "--seed\n7", "--profile\n2026.1",
                 "--fail-on\nnew"):  # fmt: skip
        assert pair in joined
    assert "--strict" in arguments
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(("code", "verdict"), [(1, "not-conformant"), (3, "none"), (2, "none")])
def test_the_action_tells_the_verdict_by_the_exit_code(code: int, verdict: str, action: Any) -> None:
    _, outputs, ended = action(code)
    assert (outputs["exit-code"], outputs["verdict"], ended) == (str(code), verdict, 0)


def test_a_run_that_wrote_no_result_has_none_to_upload_and_the_summary_says_why(action: Any, tmp_path: Path) -> None:
    _, outputs, _ = action(3, writes=False, said="No verdict: <b>nobody</b> answers.")
    assert outputs == {"exit-code": "3", "verdict": "none"}
    summary = (tmp_path / "summary.md").read_text()
    assert "no verdict (exit 3)" in summary
    assert "\n    No verdict: <b>nobody</b> answers.\n" in summary, "indented, so that it is shown and not read"


def test_the_action_passes_on_where_and_how_to_ask(action: Any) -> None:
    arguments, _, _ = action(
        CA_FILE="my ca.pem", CLIENT_CERT="c.pem", CLIENT_KEY="k.pem", RATE="20", TIMEOUT="600", EFFECTS="own",
        WORKSPACE_ID="12", ALLOW_HOST="a.example http://b.example", VERBOSE="true", HAR="run.har",
    )  # fmt: skip
    joined = "\n".join(arguments)
    for pair in ("--ca-file\nmy ca.pem", "--client-cert\nc.pem", "--client-key\nk.pem", "--rate\n20", "--timeout\n600",
                 "--effects\nown", "--workspace-id\n12", "--allow-host\na.example", "--allow-host\nhttp://b.example",
                 "--har\nrun.har"):  # fmt: skip
        assert pair in joined
    assert "--verbose" in arguments


def test_the_action_also_compares_with_the_release_in_production(action: Any) -> None:
    arguments, outputs, _ = action(1, COMPARE_WITH="https://production.example", TARGET="https://candidate.example")
    sides = ["--old", "https://production.example", "--new", "https://candidate.example"]
    assert arguments[:5] == ["compare", *sides]
    assert outputs["exit-code"] == "1"


def test_the_samples_name_what_there_is() -> None:
    job = loaded("tests/sample-project/.gitlab-ci.yml")["conformance"]
    (install,) = job["before_script"]
    assert "git+https://" in install, "no index has the suite under its name"
    (script,) = job["script"]
    used = re.findall(r"[\w-]+\.(?:toml|json)", re.sub(r"\$\{.*?\}|--report \S+", "", script))
    (step,) = [step for step in loaded("tests/sample-project/.github/workflows/api.yml")["jobs"]["conformance"]["steps"]
               if "with" in step]  # fmt: skip
    used += [value for value in step["with"].values() if value.endswith((".toml", ".json"))]
    assert used
    for name in used:
        assert (ROOT / "tests/sample-project" / name).is_file(), f"the sample has no {name}"


def test_the_shards_of_the_samples_are_all_there_is_to_merge(tmp_path: Path) -> None:
    jobs = loaded("tests/sample-project/.github/workflows/shards.yml")["jobs"]
    shards = [Shard.read(text) for text in jobs["shard"]["strategy"]["matrix"]["shard"]]
    assert [shard.index for shard in shards] == list(range(1, shards[0].of + 1))
    assert {shard.of for shard in shards} == {len(shards)}
    job = loaded("tests/sample-project/shards.gitlab-ci.yml")
    for script in (job["shard"]["script"][0], job["conformance"]["script"][0], jobs["conformance"]["steps"][-1]["run"]):
        (line,) = [line for line in script.splitlines() if line.startswith("conformance ")]
        _, command, *words = shlex.split(line)
        known = {option for one in group.get_command(click.Context(group), command).params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_hooks_run_commands_there_are_on_files_there_are() -> None:
    hooks = loaded(".pre-commit-hooks.yaml")
    assert {hook["id"] for hook in hooks} == {"conformance-waivers", "conformance-spec", "conformance-leaks"}
    for hook in hooks:
        program, command, *_ = hook["entry"].split()
        assert (program, hook["language"]) == ("conformance", "python")
        assert command in COMMANDS
    files = {hook["id"]: re.compile(hook["files"]) for hook in hooks}
    assert files["conformance-waivers"].search("ci/conformance-waivers.toml")
    assert files["conformance-spec"].search("specs/pipelines.openapi.yaml")
    assert files["conformance-leaks"].search("fixtures/recordings/pipelines.create/plain.json")
    assert not files["conformance-waivers"].search("pyproject.toml")


def test_the_sample_project_uses_hooks_there_are() -> None:
    known = {hook["id"] for hook in loaded(".pre-commit-hooks.yaml")}
    (repo,) = loaded("tests/sample-project/.pre-commit-config.yaml")["repos"]
    assert {hook["id"] for hook in repo["hooks"]} == known
