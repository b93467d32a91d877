"""The real programs that stand between a user and an instance, each started on a free port of 127.0.0.1.

Configuration files are written to a folder of the test's own. What is started is ended by its id.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = {
    "nginx": "nginx",
    "haproxy": "haproxy",
    "squid": "squid",
    "tinyproxy": "tinyproxy",
    "openssl": "openssl",
    "node": "nodejs",
}
"""The Debian package that each program comes with."""

PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_START_SECONDS = 30.0


def needed(*programs: str) -> None:
    """Skip the test, and say why, where a program is not installed; in CI that is a failure."""
    missing = [program for program in programs if not found(program)]
    if missing:
        sentence = (
            f"{', '.join(missing)} is not installed: apt-get install {' '.join(PACKAGES[one] for one in missing)}"
        )
        absent(sentence)


def absent(sentence: str) -> None:
    """Something that a test is about is not installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{sentence}. In CI it must be: .ci/run installs it.", pytrace=False)
    pytest.skip(sentence)


def found(program: str) -> str | None:
    """Where a program stands."""
    return shutil.which(program, path=PLACES)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def started(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    """Run a program in the foreground until the block is left; it is up once its port takes connections."""
    program = found(command[0])
    assert program is not None
    log = folder / f"{command[0]}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]], stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder
        )
        try:
            _await(process, port, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as one:
            one.settimeout(1)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"The program did not come up: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def nginx(folder: Path, port: int, http: str, modules: str = "") -> Iterator[None]:
    """nginx with this inside its `http` block; `modules` stands at the top of its configuration."""
    place = folder / f"nginx-{port}"
    place.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(
        f"{name}_temp_path {place}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(
        f"""
        {modules}
        {user}
        daemon off; pid {place}/pid; error_log {place}/error.log; worker_processes 1;
        events {{ worker_connections 512; }}
        http {{
            access_log {place}/access.log; client_max_body_size 64m; {temporary}
            {http}
        }}
        """
    )
    with started(["nginx", "-e", f"{place}/error.log", "-c", str(place / "nginx.conf")], port, folder):
        yield


@contextmanager
def haproxy(folder: Path, port: int, sections: str) -> Iterator[None]:
    """haproxy with these sections after its defaults."""
    file = folder / f"haproxy-{port}.cfg"
    file.write_text(
        f"defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n{sections}\n"
    )
    with started(["haproxy", "-db", "-f", str(file)], port, folder):
        yield


@contextmanager
def squid(folder: Path, port: int, rules: str) -> Iterator[None]:
    """squid as a forward proxy, with these access rules."""
    place = folder / f"squid-{port}"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    for parent in place.parents:
        if parent.is_relative_to(Path("/tmp")) and parent != Path("/tmp"):  # squid gives up root
            parent.chmod(parent.stat().st_mode | 0o011)
    file = place / "squid.conf"
    file.write_text(
        f"http_port 127.0.0.1:{port}\npid_filename {place}/pid\ncache_log {place}/cache.log\naccess_log none\n"
        f"coredump_dir {place}\ncache deny all\nvisible_hostname squid.test\nshutdown_lifetime 0 seconds\n"
        f"pinger_enable off\n{rules}\n"
    )
    with started(["squid", "-N", "-f", str(file)], port, folder):
        yield


@contextmanager
def tinyproxy(folder: Path, port: int, rules: str = "") -> Iterator[None]:
    """tinyproxy as a forward proxy."""
    file = folder / f"tinyproxy-{port}.conf"
    file.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nLogLevel Error\n{rules}\n")
    with started(["tinyproxy", "-d", "-c", str(file)], port, folder):
        yield


@dataclass(frozen=True)
class Authority:
    """A private certificate authority, by openssl."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Authority:
        """A new authority whose files stand in the folder."""
        made = cls(folder)
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=a private authority",
            "-keyout", str(folder / "ca.key"), "-out", str(made.certificate),
        )  # fmt: skip
        return made

    @property
    def certificate(self) -> Path:
        """What others trust it by."""
        return self.folder / "ca.pem"

    def issue(self, name: str, *hosts: str, expired: bool = False) -> tuple[Path, Path]:
        """A certificate for these hosts, and its key."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)
        )
        extensions = self.folder / f"{name}.ext"
        names = [f"IP:{host}" if host[0].isdigit() else f"DNS:{host}" for host in hosts]
        extensions.write_text(f"subjectAltName={','.join(names)}\n" if names else "extendedKeyUsage=clientAuth\n")
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text(f"{len(list(self.folder.glob('*.csr'))):04x}\n")
        settings = self.folder / "ca.cnf"
        settings.write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={self.folder}/index.txt\nserial={self.folder}/serial\n"
            f"new_certs_dir={self.folder}\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n"
        )
        dates = ["-startdate", "200101000000Z", "-enddate", "200201000000Z"] if expired else ["-days", "30"]
        _openssl(
            "ca", "-batch", "-notext", "-config", str(settings), "-cert", str(self.certificate),
            "-keyfile", str(self.folder / "ca.key"), "-in", str(request), "-out", str(certificate),
            "-extfile", str(extensions), *dates,
        )  # fmt: skip
        return certificate, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
