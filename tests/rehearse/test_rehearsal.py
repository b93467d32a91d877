"""A user's files run unchanged against a release: what is the same, what breaks and why, and what is nobody's fault."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import jsonschema_rs
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from files import COPY, CREATE, HOST, LOGIN, TUTORIAL, UPLOAD, notebook

from conformance.data import FIXTURES, SPECS
from conformance.drift.sources.collection import upgrade
from conformance.errors import UsageError
from conformance.rehearse.rehearsal import Rehearsal, rehearse
from conformance.rehearse.report import FORMS, text

SCHEMA = json.loads((SPECS / "rehearsal.schema.json").read_text(encoding="utf-8"))


class Neighbour(http.server.BaseHTTPRequestHandler):
    """Another server of this machine, which nothing may reach by name."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "models").mkdir()
    shutil.copy(FIXTURES / "models" / "fraud.onnx", folder / "models" / "scorer.onnx")
    notebook(folder / "tutorial.ipynb", TUTORIAL)
    return folder


def cells(result: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """What is told of the cells of a file; the result is as its schema says."""
    jsonschema_rs.validate(SCHEMA, result)
    (file,) = (one for one in result["files"] if one["path"] == str(path))
    return list(file["cells"])


def outcomes(told: list[dict[str, Any]]) -> list[str]:
    return [one["outcome"] for one in told]


def ran(path: Path, *, release: str = "2023.4", before: str = "", **options: Any) -> list[dict[str, Any]]:
    return cells(rehearse(Rehearsal(release, (path,), before, **options)), path)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_the_tutorial_is_the_same_on_the_release_it_was_written_for(project: Path) -> None:
    before = contents(project)
    told = ran(project / "tutorial.ipynb")
    assert outcomes(told) == ["same"] * 9, told
    assert [one["compared"] for one in told] == [True, False, *[True] * 7]
    assert contents(project) == before


@pytest.fixture(scope="module")
def upgraded(project: Path) -> dict[str, Any]:
    return rehearse(Rehearsal("2026.1", (project / "tutorial.ipynb",), "2023.4"))


def test_it_breaks_on_a_later_one_at_exactly_what_changed(upgraded: dict[str, Any], project: Path) -> None:
    told = cells(upgraded, project / "tutorial.ipynb")
    changes = {one.id: one for one in upgrade("2023.4", "2026.1").comparison.changes}
    seen = {
        one["index"]: (one["outcome"], {(changes[each].operation, changes[each].kind) for each in one["drift"]})
        for one in told
        if one["outcome"] != "same"
    }
    assert seen == {
        3: ("fails", {("models.upload-and-convert", "request-behaviour-changed")}),
        7: ("differs", {("admin.get-pipeline-external-url", "response-behaviour-changed")}),
        8: ("fails", {
            ("pipelines.infer", "response-required-property-removed"),
            ("admin.get-pipeline-external-url", "response-behaviour-changed"),
        }),
        9: ("differs", {("pipelines.undeploy", "response-type-changed")}),
        10: ("fails", {("pipelines.copy", "operation-removed")}),
    }  # fmt: skip
    assert [one["lifted"] for one in told if one["outcome"] == "fails"] == [True, True, True]
    assert "Give the file part a name that ends in .zip" in told[1]["changes"][0]["now"]
    assert told[1]["line"] == 6


def test_it_is_told_in_every_form(upgraded: dict[str, Any]) -> None:
    shown = text(upgraded)
    assert "✗ cell 3 (line 6) fails: KeyError: 'insert_models'." in shown
    assert "instead: Give the file part a name that ends in .zip, .pt, .onnx, .h5 or .pkl." in shown
    assert shown.rstrip().endswith("On release 2026.1, from 2023.4.")
    assert json.loads(FORMS["json"](upgraded)) == upgraded
    for form in ("html", "markdown"):
        told = FORMS[form](upgraded)
        assert "pipelines.copy" in told
        assert "KeyError" in told
    assert "eyJ" not in shown + FORMS["json"](upgraded)


def test_what_waits_for_a_failed_cell_is_not_run_and_told_what_it_would_meet(project: Path) -> None:
    path = notebook(
        project / "waits.ipynb",
        [
            (LOGIN, None),
            ("made = {'pipeline_pk_id': 25}\nmade = made['nothing']\nlater = 1", None),
            ("!echo {later}", None),
            (COPY, None),
            ("made = 2\nmade", {"text/plain": "2"}),
        ],
    )
    told = ran(path, release="2026.1", before="2023.4")
    assert outcomes(told) == ["same", "fails", "not-run", "not-run", "same"]
    assert told[1]["why"].startswith("KeyError: 'nothing'. The instance was asked nothing")
    assert told[2]["why"] == "It needs later, which cell 3 did not make."
    assert told[3]["why"] == "It needs made, which cell 3 did not make."


def test_what_nothing_explains_is_said_to_be_so(project: Path) -> None:
    path = notebook(
        project / "unexplained.ipynb",
        [
            (LOGIN, None),
            ("ask('status/get_deployment', name='never-1').json()['status']", {"text/plain": "'Running'"}),
            ("ask('workspaces/list').status_code", {"text/plain": "201"}),
            ("1 / 0", {"text/plain": "1"}),
        ],
    )
    told = ran(path, release="2026.1", before="2023.4")
    assert outcomes(told) == ["same", "fails", "differs", "fails"]
    assert "It fails so on 2023.4 too: no change between the releases is the cause." in told[1]["why"]
    assert told[2]["why"] == (
        "The output is not the one that is stored: was 201, and is 200. On 2023.4 it is the same: no change between "
        "the releases is the cause."
    )
    assert not any(one["drift"] for one in told)
    alone = ran(path)
    assert [one["why"] for one in alone[2:3]] == ["The output is not the one that is stored: was 201, and is 200."]


def test_what_the_instance_does_not_have_is_never_the_users_failure(project: Path) -> None:
    path = notebook(
        project / "beyond.ipynb",
        [
            (LOGIN, None),
            ("assert ask('assays/create').ok", None),
            ("assert ask('nobody/knows/this').ok", None),
            ("requests.get('https://files.example.org/rows.json').raise_for_status()", None),
            ("input('Your name: ')", None),
            ("import a_module_that_nobody_has", None),
            ("This is prose in a cell.", None),
            ("import socket\nsocket.create_connection(('192.0.2.1', 80), 2)", None),
            ("raise KeyError('as ever')", None),
        ],
    )
    told = ran(path)
    assert outcomes(told) == ["same", *["not-run"] * 7, "fails"], told
    assert [one["why"] for one in told[1:8]] == [
        "It asks /v1/api/assays/create, which the emulated instance does not have.",
        "It asks /v1/api/nobody/knows/this, which the emulated instance does not know.",
        "It asks https://files.example.org/rows.json, and a rehearsal lets nothing out.",
        "It asks its reader to type something, and nobody is there.",
        "ModuleNotFoundError: No module named 'a_module_that_nobody_has': --python names another interpreter.",
        "It is no Python that can be run, on any release: SyntaxError: " + told[6]["why"].partition("SyntaxError: ")[2],
        "A rehearsal lets nothing out of this machine: a connection to 192.0.2.1 past the proxy was refused.",
    ]


@pytest.fixture
def neighbour() -> Iterator[int]:
    Neighbour.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Neighbour)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_no_request_reaches_any_server_but_the_instance(project: Path, neighbour: int) -> None:
    here = f"http://localhost:{neighbour}"
    path = notebook(
        project / "out.ipynb",
        [
            (f"import httpx, requests, urllib.request\nhttpx.get('{here}/httpx').status_code", {"text/plain": "403"}),
            (f"requests.get('{here}/requests').status_code", {"text/plain": "403"}),
            (f"!curl -s -o /dev/null -w '%{{http_code}}' {here}/curl", "403"),
            (f"urllib.request.urlopen('{here}/urllib')", None),
            ("httpx.get('https://one.api.example.com/v1/api/config').status_code", {"text/plain": "200"}),
            ("urllib.request.urlopen('https://two.example.com/v1/api/config').status", {"text/plain": "200"}),
            ("!curl -s -o /dev/null -w '%{{http_code}}' https://10.1.2.3:8443/v1/api/config", "200"),
        ],
    )
    told = ran(path)
    assert outcomes(told) == ["same", "same", "same", "not-run", "same", "same", "same"], told
    assert Neighbour.asked == []


def test_with_hosts_named_no_other_host_is_the_instance(project: Path) -> None:
    ask = "import requests\nrequests.get('https://{}/v1/api/config').status_code"
    mine, other = (ask.format(host) for host in ("mine.example.com", "other.example.com"))
    path = notebook(project / "hosts.ipynb", [(mine, {"text/plain": "200"}), (other, {"text/plain": "200"})])
    told = ran(path, hosts=("mine.example.com",))
    assert outcomes(told) == ["same", "not-run"]


def test_no_file_of_the_users_is_changed_and_no_process_is_left(project: Path) -> None:
    kept = project / "kept.csv"
    kept.write_text("1,2", encoding="utf-8")
    left = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], " \
           "start_new_session=True).pid"  # fmt: skip
    path = notebook(
        project / "writes.ipynb",
        [
            ("open('kept.csv', 'a').write('3'); open('new.txt', 'w').write('x'); open('kept.csv').read()", None),
            (f"open({str(kept)!r}, 'w')", None),
            (f"import os; os.remove({str(kept)!r})", None),
            (left, None),
            ("!(setsid sleep 600 >/dev/null 2>&1 </dev/null &)", None),
            ("print(open('kept.csv').read())", "1,23\n"),
        ],
    )
    before = contents(project)
    processes = sleeping()
    told = ran(path)
    assert outcomes(told) == ["same", "not-run", "not-run", "same", "same", "same"], told
    assert told[1]["why"] == f"A rehearsal changes no file of yours: {kept} would be written."
    assert contents(project) == before
    assert sleeping() == processes


def sleeping() -> set[int]:
    """The processes of this machine that sleep for ten minutes."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if b"sleep(600)" in line or line.startswith(b"sleep\x00600"):
            found.add(int(entry.parent.name))
    return found


def test_scripts_and_pages_run_too(project: Path) -> None:
    steps = "\n".join([LOGIN, UPLOAD, CREATE, "print(made['pipeline_pk_id'])", COPY])
    asked = "curl -s https://a.example.com/v1/api/config"
    written = {
        "tool.py": steps,
        "good.py": f"{LOGIN}\nprint('done')",
        "wants.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('x')\np.parse_args()",
        "tool.sh": f"{asked} >/dev/null && echo good && exit 4",
        "page.md": f"```python\n{LOGIN}\n```\n\n```bash\n{asked} | wc -w\n```\n\n    7\n",
    }
    for name, content in written.items():
        (project / name).write_text(content, encoding="utf-8")
    script, good, wants, shell, page = (project / name for name in written)
    result = rehearse(Rehearsal("2026.1", (script, good, wants, shell, page), "2023.4"))
    (tool,) = cells(result, script)
    assert (tool["outcome"], tool["line"]) == ("fails", steps[: steps.index("scorer = ")].count("\n") + 1)
    assert [one["message"].partition(",")[0] for one in tool["changes"]] == ["models.upload-and-convert"]
    assert outcomes(cells(result, good)) == ["same"]
    (argued,) = cells(result, wants)
    assert argued["why"].startswith("It wants arguments, and a rehearsal gives none: usage: wants.py")
    (ended,) = cells(result, shell)
    assert ended["why"].startswith("Exit: it ended with 4: . It fails so on 2023.4 too")
    first, second = cells(result, page)
    assert (first["outcome"], second["outcome"]) == ("same", "differs")
    assert (result["verdict"], result["exit_code"]) == ("breaks", 1)


def test_a_cell_that_takes_too_long_is_ended_and_the_next_one_runs(project: Path) -> None:
    path = notebook(project / "long.ipynb", [("import time\ntime.sleep(60)", None), ("1", {"text/plain": "1"})])
    told = ran(path, seconds=1)
    assert outcomes(told) == ["fails", "same"]
    assert told[0]["why"].startswith("TimeoutError: it was interrupted after 1 seconds.")
    script = project / "long.py"
    script.write_text("import time\ntime.sleep(60)", encoding="utf-8")
    assert ran(script, seconds=1)[0]["why"].startswith("TimeoutError: it was not done after 1 seconds.")


def test_a_kernel_that_dies_leaves_the_rest_unrun(project: Path) -> None:
    path = notebook(project / "dies.ipynb", [("import os; os._exit(3)", None), ("1", {"text/plain": "1"})])
    told = ran(path)
    assert outcomes(told) == ["not-run", "not-run"]
    assert told[1]["why"] == "It needs the kernel, which died in cell 2."


def test_nothing_run_is_no_verdict(project: Path) -> None:
    told = {"cells": [], "metadata": {"kernelspec": {"language": "R"}}, "nbformat": 4, "nbformat_minor": 5}
    path = project / "other.ipynb"
    path.write_text(json.dumps(told), encoding="utf-8")
    result = rehearse(Rehearsal("2023.4", (path,)))
    jsonschema_rs.validate(SCHEMA, result)
    assert (result["verdict"], result["exit_code"]) == ("none", 3)
    assert "Its kernel is one for R" in text(result)


def test_what_was_not_run_is_not_said_to_work(project: Path) -> None:
    path = notebook(
        project / "no-sdk.ipynb",
        [("import a_module_that_nobody_has", None), ("a_module_that_nobody_has.call()", None), ("1 + 1", None)],
    )
    result = rehearse(Rehearsal("2023.4", (path,)))
    assert outcomes(cells(result, path)) == ["not-run", "not-run", "same"]
    assert (result["verdict"], result["exit_code"]) == ("none", 3)
    assert result["reason"].endswith("What was not run was not tested, so there is no verdict.")


def test_a_file_that_cannot_be_run_leaves_no_verdict_and_a_page_of_prose_does_not_matter(project: Path) -> None:
    works = project / "works.py"
    works.write_text("print(1)\n", encoding="utf-8")
    prose, other = project / "prose.md", project / "other-language.ipynb"
    prose.write_text("# Only words\n", encoding="utf-8")
    told = {"cells": [], "metadata": {"kernelspec": {"language": "R"}}, "nbformat": 4, "nbformat_minor": 5}
    other.write_text(json.dumps(told), encoding="utf-8")
    assert rehearse(Rehearsal("2023.4", (works, prose)))["exit_code"] == 0
    assert rehearse(Rehearsal("2023.4", (works, other)))["exit_code"] == 3


def test_prose_in_a_cell_keeps_no_file_from_working(project: Path) -> None:
    path = notebook(project / "prose.ipynb", [("This is prose in a cell.", None), ("1 + 1", {"text/plain": "2"})])
    assert rehearse(Rehearsal("2023.4", (path,)))["verdict"] == "works"


def test_an_interpreter_without_a_kernel_is_named(project: Path, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    with pytest.raises(UsageError, match=f"{bare} has none: {bare} -m pip install ipykernel"):
        rehearse(Rehearsal("2023.4", (project / "tutorial.ipynb",), python=str(bare)))
    with pytest.raises(UsageError, match=r"There is no release '2022\.1' to rehearse on"):
        rehearse(Rehearsal("2022.1", (project / "tutorial.ipynb",)))


def test_a_users_own_environment_is_led_to_the_instance_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLAROO_SDK_CREDENTIALS", "/secret")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("OUR_OWN", "stays")
    script = project / "environment.py"
    names = ("WALLAROO_SDK_CREDENTIALS", "NO_PROXY", "OUR_OWN", "WALLAROO_URL")
    wanted = [None, None, "stays", HOST]
    script.write_text(f"import os\nassert [os.environ.get(name) for name in {names}] == {wanted}", encoding="utf-8")
    assert ran(script)[0]["outcome"] == "same"
    assert os.environ["NO_PROXY"] == "*"
