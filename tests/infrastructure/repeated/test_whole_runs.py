"""Whole runs behind nginx, again and again: a rate limit breaks nothing, nor does a gateway that fails at times.

By hand or by `tox -e infrastructure`, for it takes hours; CONFORMANCE_REPETITIONS says how often (20).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.conftest import Run
from tests.infrastructure.programs import free_port, needed, nginx

TIMES = range(int(os.environ.get("CONFORMANCE_REPETITIONS", "20")))
PROXIED = "proxy_set_header Host $http_host; proxy_pass"


def whole(conformance: Run, port: int, folder: Path) -> tuple[int, list[str], dict[str, Any]]:
    """A whole run: its exit code, what gates and is broken, and what gateways had to say."""
    report = folder / "result.json"
    target = f"http://127.0.0.1:{port}"
    done = conformance("run", "--target", target, "--budget", "quick", "--report", f"json={report}", timeout=1800)
    assert report.is_file(), done.stderr
    result = json.loads(report.read_text())
    broken = [row["id"] for row in result["requirements"] if row["outcome"] == "broken"]
    return done.returncode, broken, result["gateway"]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("after", ["", "add_header Retry-After 1 always;"], ids=["silent", "retry-after"])
@pytest.mark.parametrize("status", [429, 503])
def test_twenty_requests_a_second(
    status: int, after: str, time: int, conformance: Run, instance: str, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    slow = f"error_page {status} @slow; location @slow {{ {after} return {status}; }}" if after else ""
    http = (
        f"limit_req_zone $server_port zone=one:1m rate=20r/s; limit_req_status {status};"
        f"server {{ listen 127.0.0.1:{port}; {slow} location / {{ limit_req zone=one; {PROXIED} {instance}; }} }}"
    )
    with nginx(tmp_path, port, http):
        code, broken, gateway = whole(conformance, port, tmp_path)
    assert (code, broken) == (0, []), gateway


@pytest.mark.parametrize("time", TIMES)
def test_one_answer_in_a_hundred_is_a_502(time: int, conformance: Run, instance: str, tmp_path: Path) -> None:
    needed("nginx")
    port = free_port()
    http = (
        'split_clients "$request_id" $bad { 1% 1; * 0; }'
        f"server {{ listen 127.0.0.1:{port}; location / {{ if ($bad) {{ return 502; }} {PROXIED} {instance}; }} }}"
    )
    with nginx(tmp_path, port, http):
        code, broken, gateway = whole(conformance, port, tmp_path)
    assert code in (0, 3), gateway
    assert broken == [], gateway
