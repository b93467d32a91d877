"""`conformance emulate`: serve an emulated instance until interrupted."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.cli import options as shared
from conformance.emulator.settings import PROFILES, Settings
from conformance.errors import require

if TYPE_CHECKING:
    from conformance.emulator.server import Server

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--public-url", default="", metavar="URL", help="The URL under which others reach it, behind an ingress.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the state in this folder, also after a restart.",
)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="2023.4", show_default=True, help="Release.")
@click.option("--start-seconds", default=0.2, show_default=True, type=click.FloatRange(0), help="Deploy to Running.")
@click.option("--stop-seconds", default=0.1, show_default=True, type=click.FloatRange(0), help="Undeploy to 404.")
@click.option("--token-seconds", default=60, show_default=True, type=click.IntRange(1), help="Lifetime of a token.")
@click.option(
    "--signing-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), hidden=True,
    help="PEM file with the RSA key that signs tokens, in place of a new one.",
)  # fmt: skip
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="ID",
    help="A deliberate defect; may be repeated.",
    shell_complete=shared.complete_faults,
)
@click.option("--vary", type=click.IntRange(0), metavar="SEED", help="Vary everything that no requirement fixes.")
@click.option("--exit-with-parent", is_flag=True, hidden=True, help="End when standard input is closed.")
def emulate(
    host: str,
    port: int,
    public_url: str,
    data_dir: Path | None,
    profile: str,
    start_seconds: float,
    stop_seconds: float,
    token_seconds: int,
    signing_key: Path | None,
    faults: tuple[str, ...],
    vary: int | None,
    exit_with_parent: bool,
) -> int:
    """Serve an emulated instance of the API.

    The API, its token endpoint and its documentation are on one address.
    """
    require("An emulated instance", "emulated")
    from conformance.emulator.app import create_app
    from conformance.emulator.faults import find, middleware_of
    from conformance.emulator.server import Server, listening_socket, url_of
    from conformance.emulator.variations import combined, varied

    middleware = middleware_of(tuple(find(fault) for fault in faults))
    if public_url:
        from conformance.targets.address import base_url

        public_url = base_url(public_url, "--public-url")
    listener = listening_socket(host, port)
    settings = Settings(
        profile=PROFILES[profile],
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
        token_seconds=token_seconds,
        data_dir=data_dir,
        signing_key=signing_key,
        base_url=public_url or url_of(listener),
        public_url=public_url,
        username=_environment("USERNAME", Settings.username),
        password=_environment("PASSWORD", Settings.password),
        client_id=_environment("CLIENT_ID", Settings.client_id),
        client_secret=_environment("CLIENT_SECRET", Settings.client_secret),
    )
    if vary is not None:
        settings, taken = varied(settings, vary)
        middleware = combined(middleware, taken)
    app = create_app(settings, document=partial(_document, profile), middleware=middleware)
    server = Server(app, lambda: click.echo(f"Listening on {url_of(listener)}"), settings.limits)
    if exit_with_parent:
        threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    if host not in _LOOPBACK:
        click.echo(f"Other machines can reach this instance: it listens on {host}.", err=True)
    server.run(sockets=[listener])
    return 0


def _document(profile: str) -> Mapping[str, Any]:
    from conformance.spec.document import Document

    return Document.load(profile).raw


def _environment(name: str, default: str) -> str:
    return os.environ.get(f"CONFORMANCE_{name}") or default


def _end_with_input(server: Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True
