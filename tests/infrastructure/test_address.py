"""Where an instance is asked: beneath a path, behind TLS, under another name than its own, through a proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import data
from conformance.targets.emulated import emulator_process
from tests.infrastructure.conftest import Refused, Run
from tests.infrastructure.programs import Authority, free_port, needed, nginx, squid, tinyproxy

SPEC = data.SPECS / "pipelines.openapi.yaml"
LIFECYCLE = ("--suite", "lifecycle", "--budget", "quick")
API, KEYCLOAK = "doc-test.api.wallaroo.test", "doc-test.keycloak.wallaroo.test"
READING = ("--suite", "standards", "--effects", "read", "--budget", "quick")


def upstream(url: str) -> str:
    return url.partition("://")[2]


def server(port: int, locations: str, tls: tuple[Path, Path] | None = None, more: str = "") -> str:
    listen = f"listen 127.0.0.1:{port}{' ssl' if tls else ''};"
    keys = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
    return f"server {{ {listen} {keys} {more} {locations} }}"


def test_a_path_before_the_api_is_kept_and_the_instance_at_the_root_is_left_alone(
    conformance: Run, instance: str, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    base = f"http://127.0.0.1:{port}/tenant-b"
    with emulator_process(["--public-url", base, "--fault", "deploy-again-gives-a-new-id"]) as faulty:
        locations = (
            f"location /tenant-b/ {{ proxy_pass {faulty}/; }} location / {{ proxy_pass {instance}; }}"
            f"access_log {tmp_path}/access.log;"
        )
        with nginx(tmp_path, port, server(port, locations)):
            report, har = tmp_path / "result.json", tmp_path / "run.har"
            done = conformance(
                "run", "--target", f"{base}/v1/api/docs", *LIFECYCLE, "--report", f"json={report}", "--har", str(har)
            )
    assert done.returncode == 1, done.stdout + done.stderr
    result = json.loads(report.read_text())
    assert result["target"]["url"] == base
    broken = [row for row in result["requirements"] if row["outcome"] == "broken" and row["gates"]]
    assert [row["id"] for row in broken] == ["pipelines.deploy.again-returns-the-same-id"]
    (finding,) = broken[0]["findings"]
    assert f"{base}/v1/api/pipelines/deploy" in finding["curl"]
    assert f'TARGET="${{TARGET:-{base}}}"' in finding["script"]
    assert all(entry["request"]["url"].startswith(base) for entry in json.loads(har.read_text())["log"]["entries"])
    asked = [line.split('"')[1].split()[1] for line in (tmp_path / "access.log").read_text().splitlines()]
    assert asked
    assert all(path.startswith("/tenant-b/") for path in asked), "nothing is asked of the instance at the root"
    checked = conformance("check", str(har))
    assert "again-returns-the-same-id" in checked.stdout
    (journal,) = (tmp_path / "state").rglob("*.jsonl")
    assert json.loads(journal.read_text().splitlines()[0])["target"] == base


def test_a_first_time_user_of_two_hosts_and_a_private_authority_needs_two_variables_and_a_file(
    conformance: Run, instance: str, authority: Authority, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    proxied = f"proxy_set_header Host $http_host; proxy_pass {instance};"
    refused = "location /auth/ { return 404; }"
    http = server(
        port, f"{refused} location / {{ {proxied} }}", authority.issue("api", API), f"server_name {API};"
    ) + server(
        port, f"location /auth/ {{ {proxied} }}", authority.issue("keycloak", KEYCLOAK), f"server_name {KEYCLOAK};"
    )
    with nginx(tmp_path, port, http):
        report = tmp_path / "result.json"
        done = conformance(
            "run", "--target", f"https://{API}:{port}", "--ca-file", str(authority.certificate), *LIFECYCLE,
            "--report", f"json={report}",
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    notes = " ".join(json.loads(report.read_text())["notes"])
    assert f"https://{KEYCLOAK}:{port}/auth/realms/master" in notes, "the verdict says who gave the token"
    assert f"--allow-host http://{API}:{port}" in notes, "the instance does not know of TLS; our token stays within it"
    assert f"at https://{API}:{port}" in notes


def test_an_inference_url_of_another_host_is_asked_where_it_is_allowed(conformance: Run, tmp_path: Path) -> None:
    needed("nginx")
    port, other = free_port(), free_port()
    own = f"http://inference.wallaroo.test:{other}"
    with emulator_process(["--public-url", own]) as url:
        http = server(port, f"location / {{ proxy_pass {url}; }}") + server(
            other, f"location / {{ proxy_pass {url}; }} access_log {tmp_path}/other.log;"
        )
        with nginx(tmp_path, port, http):
            target, report = f"http://127.0.0.1:{port}", tmp_path / "result.json"
            run = ("run", "--target", target, *LIFECYCLE, "--report", f"json={report}")
            without = conformance(*run)
            told = " ".join(json.loads(report.read_text())["notes"])
            asked_without = (tmp_path / "other.log").read_text()
            allowed = conformance(*run, "--allow-host", f"inference.wallaroo.test:{other}")
            asked_allowed = (tmp_path / "other.log").read_text()
    assert (without.returncode, allowed.returncode) == (0, 0), without.stdout + allowed.stdout + allowed.stderr
    assert f"--allow-host inference.wallaroo.test:{other}" in told
    assert asked_without == ""
    assert "/v1/api/pipelines/infer/" in asked_allowed
    assert json.loads(report.read_text())["notes"] == []


def test_an_allowed_host_that_cannot_be_reached_from_here_is_told(conformance: Run, tmp_path: Path) -> None:
    with emulator_process(["--public-url", "https://inference.invalid"]) as url:
        report = tmp_path / "result.json"
        run = ("run", "--target", url, *LIFECYCLE, "--report", f"json={report}")
        done = conformance(*run, "--allow-host", "inference.invalid")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Inference was not asked at https://inference.invalid" in json.loads(report.read_text())["notes"][0]


def test_an_emulated_instance_follows_the_ingress_that_says_what_was_asked(
    conformance: Run, instance: str, authority: Authority, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    headers = "proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Host $http_host;"
    locations = f"location / {{ {headers} proxy_pass {instance}; }}"
    with nginx(tmp_path, port, server(port, locations, authority.issue(f"f{port}", "127.0.0.1"))):
        report = tmp_path / "result.json"
        done = conformance(
            "run", "--target", f"https://127.0.0.1:{port}", "--ca-file", str(authority.certificate),
            "--only", "pipelines.infer.computes-the-model", "--budget", "quick", "--report", f"json={report}",
        )  # fmt: skip
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert not any("--allow-host" in note for note in json.loads(report.read_text())["notes"])


def test_a_client_certificate_is_shown_and_stands_in_the_commands(
    conformance: Run, authority: Authority, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    certificate, key = authority.issue("someone")
    files = ("--ca-file", str(authority.certificate), "--client-cert", str(certificate), "--client-key", str(key))
    asking = f"ssl_client_certificate {authority.certificate}; ssl_verify_client on;"
    with emulator_process(["--fault", "deploy-again-gives-a-new-id"]) as url:
        told = "proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Host $http_host;"
        locations = f"location / {{ {told} proxy_pass {url}; }}"
        with nginx(tmp_path, port, server(port, locations, authority.issue(f"c{port}", "127.0.0.1"), asking)):
            target = ("run", "--target", f"https://127.0.0.1:{port}", *LIFECYCLE)
            without = conformance(*target, "--ca-file", str(authority.certificate))
            report = tmp_path / "result.json"
            shown = conformance(*target, *files, "--report", f"json={report}")
            finding = _finding(report, "pipelines.deploy.again-returns-the-same-id")
            token = conformance("token", "--target", target[2], "--export", *files).stdout.rpartition("TOKEN=")[2]
            pasted = subprocess.run(
                [sys.executable, "-c", finding["python"]],
                env={**os.environ, "TOKEN": token.strip()}, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            (tmp_path / "test_finding.py").write_text(finding["pytest"])
            replayed = _python(tmp_path / "test_finding.py", target[2])
            description = ("drift", "--no-run", "--target", target[2])
            kept_out, let_in = conformance(*description, *files[:2]), conformance(*description, *files)
            fetched = conformance("drift", str(SPEC), f"{target[2]}/v1/api/openapi.json", *files)
    assert (without.returncode, shown.returncode) == (3, 1), without.stderr + shown.stdout + shown.stderr
    assert pasted.stdout.startswith("200 "), pasted.stdout + pasted.stderr
    assert replayed.returncode == 1, replayed.stdout + replayed.stderr
    assert "The finding stands" in replayed.stdout
    assert f"--client-cert {certificate}" in finding["curl"]
    assert (kept_out.returncode, let_in.returncode, fetched.returncode) == (3, 0, 0), let_in.stdout + fetched.stdout
    assert "--client-cert FILE" in without.stderr
    assert f"--cacert {authority.certificate} --cert {certificate} --key {key}" in finding["curl"]


def _finding(report: Path, requirement: str) -> dict[str, str]:
    """The finding on the only requirement that gates and is broken."""
    (row,) = [
        row for row in json.loads(report.read_text())["requirements"] if row["outcome"] == "broken" and row["gates"]
    ]
    assert row["id"] == requirement
    finding: dict[str, str] = row["findings"][0]
    return finding


def _python(file: Path, target: str) -> subprocess.CompletedProcess[str]:
    user = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    environment = {**os.environ, **user, "CONFORMANCE_TARGET": target}
    command = [sys.executable, str(file)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_an_expired_certificate_is_not_mended_by_a_file(
    refused: Refused, instance: str, authority: Authority, tmp_path: Path
) -> None:
    needed("nginx")
    old, other = free_port(), free_port()
    proxied = f"location / {{ proxy_pass {instance}; }}"
    http = server(old, proxied, authority.issue("old", "127.0.0.1", expired=True))
    http += server(other, proxied, authority.issue("other", "elsewhere.test"))
    with nginx(tmp_path, old, http):
        trusted = ("--ca-file", str(authority.certificate), *READING)
        _, expired = refused("run", "--target", f"https://127.0.0.1:{old}", *trusted)
        _, mistaken = refused("run", "--target", f"https://127.0.0.1:{other}", *trusted)
        _, unknown = refused("run", "--target", f"https://127.0.0.1:{other}", *READING)
        _, clear = refused("run", "--target", f"http://127.0.0.1:{other}", *READING, CONFORMANCE_TOKEN="t")
        _, plain = refused("run", "--target", f"https://{upstream(instance)}", *READING)
    assert "has expired" in expired
    assert "--ca-file" not in expired
    assert "for another host" in mistaken
    assert "--ca-file" in unknown
    assert f"give --target https://127.0.0.1:{other}" in clear
    assert "does not use TLS" in plain


@pytest.mark.parametrize("status", [301, 308])
def test_a_redirect_tells_where_it_leads(status: int, refused: Refused, tmp_path: Path) -> None:
    needed("nginx")
    port, there = free_port(), "https://api.elsewhere.test"
    http = server(port, f"location / {{ return {status} {there}$request_uri; }}")
    with nginx(tmp_path, port, http):
        code, said = refused("run", "--target", f"http://127.0.0.1:{port}", *READING, CONFORMANCE_TOKEN="t")
    assert code == 3
    assert f"status {status} by nginx to {there}/v1/api/workspaces/list" in said
    assert f"It redirects to {there}: if that is your instance, give it as --target" in said


NOWHERE = {"CONFORMANCE_TOKEN": "opensesame"}


def test_a_proxy_that_wants_a_password_is_named(refused: Refused, tmp_path: Path) -> None:
    needed("squid")
    port, helper = free_port(), Path("/usr/lib/squid/basic_fake_auth")
    rules = f"auth_param basic program {helper}\nacl known proxy_auth REQUIRED\nhttp_access allow known"
    with squid(tmp_path, port, f"{rules}\nhttp_access deny all"):
        proxy = f"http://127.0.0.1:{port}"
        code, said = refused("run", "--target", "https://a.invalid", *READING, HTTPS_PROXY=proxy, **NOWHERE)
        clear, plain = refused("run", "--target", "http://a.invalid", *READING, HTTP_PROXY=proxy, **NOWHERE)
    assert (code, clear) == (3, 3)
    assert f"the proxy {proxy} refused: 407" in said
    assert f"through the proxy {proxy}" in plain
    assert "407 by squid" in plain
    assert "USER:PASSWORD" in said
    assert "USER:PASSWORD" in plain


def test_a_proxy_that_does_not_let_through_is_named_without_its_password(refused: Refused, tmp_path: Path) -> None:
    needed("tinyproxy")
    port, nobody = free_port(), free_port()
    with tinyproxy(tmp_path, port, "ConnectPort 563"):
        proxy = f"http://me:opensesame@127.0.0.1:{port}"
        code, said = refused("run", "--target", "https://a.invalid", *READING, HTTPS_PROXY=proxy, **NOWHERE)
    assert code == 3
    assert f"the proxy http://127.0.0.1:{port} refused: 403" in said
    assert "opensesame" not in said
    code, said = refused(
        "run", "--target", "https://a.invalid", *READING, HTTPS_PROXY=f"http://127.0.0.1:{nobody}", **NOWHERE
    )
    assert code == 3
    assert f"through the proxy http://127.0.0.1:{nobody}" in said
