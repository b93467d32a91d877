"""What stands between a run and an instance, by the real programs: none of it breaks a promise of the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.targets.emulated import emulator_process
from conformance.targets.strangers import issuers_key
from tests.hostile import Hostile, Part, Send, hostile_server
from tests.infrastructure.conftest import Run, conformance_in
from tests.infrastructure.programs import absent, free_port, haproxy, needed, nginx

NARROW = ("--suite", "lifecycle", "--budget", "quick")
MODSECURITY = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
CORE_RULES = Path("/usr/share/modsecurity-crs/rules")
CORE_SETUP = Path("/etc/modsecurity/crs/crs-setup.conf")

Judged = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def judged(conformance: Run, tmp_path: Path) -> Judged:
    """Runs the lifecycle against a URL: the exit code, and the result."""

    def run(url: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        report = tmp_path / "result.json"
        done = conformance("run", "--target", url, *(arguments or NARROW), "--report", f"json={report}")
        assert "please report it" not in done.stderr
        assert report.is_file(), done.stderr
        return done.returncode, json.loads(report.read_text())

    return run


@pytest.fixture(scope="module")
def usual(instance: str, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The exit code of the same run with nothing before the instance."""
    return conformance_in(tmp_path_factory.mktemp("usual"))("run", "--target", instance, *NARROW).returncode


def broken(result: dict[str, Any]) -> list[str]:
    return [row["id"] for row in result["requirements"] if row["outcome"] == "broken"]


@pytest.mark.parametrize(
    ("status", "after"),  # each with each other is in repeated/
    [(429, ""), (503, "add_header Retry-After 1 always;")],
    ids=["429-silent", "503-retry-after"],
)
def test_a_rate_limit_breaks_no_promise(
    status: int, after: str, judged: Judged, instance: str, usual: int, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    slow = f"error_page {status} @slow; location @slow {{ {after} return {status}; }}" if after else ""
    http = (
        f"limit_req_zone $server_port zone=one:1m rate=20r/s; limit_req_status {status};"
        f"server {{ listen 127.0.0.1:{port}; {slow}"
        f"location / {{ limit_req zone=one; proxy_set_header Host $http_host; proxy_pass {instance}; }} }}"
    )
    with nginx(tmp_path, port, http):
        code, result = judged(f"http://127.0.0.1:{port}")
    assert (code, broken(result)) == (usual, []), result["reason"]
    assert result["gateway"]["throttled"] > 0
    assert result["gateway"]["answers"] == 0
    assert f"{status} by nginx" in " ".join(result["notes"])


def test_a_rate_that_is_asked_for_is_kept(judged: Judged, instance: str, usual: int, tmp_path: Path) -> None:
    needed("nginx")
    port = free_port()
    http = (
        "limit_req_zone $server_port zone=one:1m rate=20r/s; limit_req_status 429;"
        f"server {{ listen 127.0.0.1:{port};"
        f"location / {{ limit_req zone=one burst=2 nodelay;"
        f"proxy_set_header Host $http_host; proxy_pass {instance}; }} }}"
    )
    with nginx(tmp_path, port, http):
        code, result = judged(f"http://127.0.0.1:{port}", *NARROW, "--rate", "15")
    assert (code, broken(result)) == (usual, []), result["reason"]
    assert result["gateway"]["throttled"] <= 2


def test_a_gateway_that_fails_now_and_then_breaks_no_promise(judged: Judged, instance: str, tmp_path: Path) -> None:
    needed("nginx")
    port = free_port()
    http = (
        'split_clients "$request_id" $bad { 2% 502; 2% 504; 2% 444; * 0; }'
        f"server {{ listen 127.0.0.1:{port}; location / {{"
        "if ($bad = 502) { return 502; } if ($bad = 504) { return 504; } if ($bad = 444) { return 444; }"
        f"proxy_set_header Host $http_host; proxy_pass {instance}; }} }}"
    )
    with nginx(tmp_path, port, http):
        code, result = judged(f"http://127.0.0.1:{port}")
    assert code in (0, 3), (result["reason"], broken(result))
    assert broken(result) == []
    assert result["gateway"]["answers"] + result["gateway"]["lost"] > 0


def test_an_answer_that_is_lost_after_the_work_was_done_is_unknown(
    judged: Judged, instance: str, tmp_path: Path
) -> None:
    needed("haproxy")
    port = free_port()
    sections = (
        f"frontend f\n  bind 127.0.0.1:{port}\n  default_backend b\n"
        "backend b\n  http-response return status 502 content-type text/html string <html>502</html>"
        " if { rand(100) lt 3 }\n"
        f"  server s {instance.partition('://')[2]}\n"
    )
    with haproxy(tmp_path, port, sections):
        code, result = judged(f"http://127.0.0.1:{port}")
    assert code in (0, 3), (result["reason"], broken(result))
    assert broken(result) == []
    assert result["gateway"]["answers"] > 0


@pytest.mark.parametrize("path", ["status/get_deployment", "pipelines/deploy"])
def test_one_connection_that_is_reset_breaks_no_promise(path: str, judged: Judged, instance: str, usual: int) -> None:
    there = [path]

    def once(hostile: Hostile) -> Part:
        def play(send: Send, body: bytes) -> None:  # the instance has answered: what was asked is done
            there[:] = ["nothing more"]
            raise ConnectionResetError

        return play

    with hostile_server(instance, once, there) as hostile:
        code, result = judged(hostile.url)
    assert (code, broken(result)) == (usual, []), result["reason"]
    assert result["gateway"]["lost"] == 1


def test_a_firewall_that_blocks_is_told_of(judged: Judged, instance: str, tmp_path: Path) -> None:
    needed("nginx")
    if not (MODSECURITY.is_file() and CORE_RULES.is_dir()):
        absent("ModSecurity is not installed: apt-get install libnginx-mod-http-modsecurity modsecurity-crs")
    port, rules = free_port(), tmp_path / "modsecurity.conf"
    rules.write_text(
        f"SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 134217728\n"
        f"Include {CORE_SETUP}\nInclude {CORE_RULES}/*.conf\n"
        'SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,pass,nolog,'
        'ctl:requestBodyProcessor=JSON"\n'
    )
    http = (
        f"server {{ listen 127.0.0.1:{port}; modsecurity on; modsecurity_rules_file {rules};"
        f"location / {{ proxy_set_header Host $http_host; proxy_pass {instance}; }} }}"
    )
    with nginx(tmp_path, port, http, modules=f"load_module {MODSECURITY};"):
        code, result = judged(f"http://127.0.0.1:{port}")
    blocked = result["gateway"]["kinds"].get("403 by nginx", 0)
    assert blocked > 0
    assert code == 3, (result["reason"], broken(result))
    assert broken(result) == []
    assert f"{blocked} × 403 by nginx, first to" in " ".join([result["reason"], *result["notes"]])


def test_a_body_that_an_ingress_does_not_take_is_told_of(judged: Judged, instance: str, tmp_path: Path) -> None:
    needed("nginx")
    port = free_port()
    http = (
        f"server {{ listen 127.0.0.1:{port}; location / {{ client_max_body_size 64k;"
        f"proxy_set_header Host $http_host; proxy_pass {instance}; }} }}"
    )
    with nginx(tmp_path, port, http):
        code, result = judged(f"http://127.0.0.1:{port}")
    assert (code, broken(result)) in ((0, []), (3, [])), result["reason"]
    assert result["gateway"]["kinds"]["413 by nginx"] > 0


def test_two_instances_that_share_nothing_are_not_conformant(judged: Judged, tmp_path: Path) -> None:
    needed("haproxy")
    port = free_port()
    with issuers_key() as key:
        alike = ["--signing-key", str(key), "--public-url", f"http://127.0.0.1:{port}"]
        with emulator_process(alike) as one, emulator_process(alike) as other:
            servers = "\n".join(
                f"  server {name} {url.partition('://')[2]}" for name, url in (("s", one), ("t", other))
            )
            sections = (
                f"frontend f\n  bind 127.0.0.1:{port}\n  default_backend both\n"
                f"backend both\n  balance roundrobin\n{servers}\n"
            )
            with haproxy(tmp_path, port, sections):
                code, _ = judged(f"http://127.0.0.1:{port}")
    assert code == 1
