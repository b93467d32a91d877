"""The client that requests go through: whom it trusts, how it shows who it is, and by which proxy it goes."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from conformance.errors import UsageError
from conformance.targets.reception import deadlined

_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True)
class Trust:
    """PEM files: authorities to trust in place of the system's, and a certificate of our own with its key.

    The key may stand in the certificate's file.
    """

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None


def http_client(trust: Trust = Trust()) -> httpx.Client:
    """A client that verifies TLS and honours the environment's proxies, but for loopback.

    Raises UsageError where a file, or a variable of the environment that httpx reads, cannot be used.
    """
    context = tls_context(trust)
    for chatty in ("httpx", "httpcore"):  # at DEBUG they log header fields, in which a target may repeat our token
        logging.getLogger(chatty).setLevel(logging.WARNING)
    mounts = dict.fromkeys(_LOOPBACK)
    try:
        client = httpx.Client(verify=context, mounts=mounts, limits=httpx.Limits(max_connections=64))
    except (ValueError, httpx.InvalidURL, ImportError, UnicodeError) as error:
        raise UsageError(_unusable(os.environ, error)) from None
    return deadlined(client)


def loopback_client() -> httpx.Client:
    """A client for what runs on this machine: neither certificates nor the environment's proxies matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return deadlined(httpx.Client(verify=context, trust_env=False, limits=httpx.Limits(max_connections=64)))


def tls_context(trust: Trust) -> ssl.SSLContext:
    """How TLS is spoken: whom is trusted, and by which certificate. Raises UsageError where a file cannot be used."""
    if trust.ca_file is None and trust.client_cert is None:
        return _system()
    context = _authorities(trust.ca_file) if trust.ca_file else _trusting()
    if trust.client_cert:
        try:
            # Without an answer to a question for a password, OpenSSL would ask the terminal.
            context.load_cert_chain(trust.client_cert, trust.client_key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"The --client-cert {trust.client_cert.name} and its key cannot be used ({_why(error)}). Give PEM "
                "files: the certificate, and with --client-key its key, which no password protects."
            ) from None
    return context


def _authorities(file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(file))
    except (OSError, ValueError) as error:
        raise UsageError(f"The --ca-file {file.name} is not a readable PEM certificate ({_why(error)}).") from None


def _system() -> ssl.SSLContext:
    """What httpx trusts of itself; kept, since reading all certificates takes longer than many requests."""
    return _kept(tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"))))


@lru_cache(maxsize=1)
def _kept(environ: tuple[str | None, ...]) -> ssl.SSLContext:
    return _trusting()


def _trusting() -> ssl.SSLContext:
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if folder and not file and not Path(folder).is_dir():
        raise UsageError("SSL_CERT_DIR in the environment is no folder. Correct it, unset it, or give --ca-file FILE.")
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        name = "SSLKEYLOGFILE" if os.environ.get("SSLKEYLOGFILE") and not file else "SSL_CERT_FILE"
        raise UsageError(
            f"{name} in the environment names a file that cannot be used ({_why(error)}). Correct it or unset it."
        ) from None


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror) or (
        str(error).partition(" (_ssl")[0] or type(error).__name__
    )


def _unusable(environ: Mapping[str, str], error: Exception) -> str:
    """Which variable keeps the client from being made, and what to do; a proxy's URL may hold a password."""
    unknown = f"The proxies that the environment names cannot be used ({type(error).__name__}). Correct or unset them."
    return next(_complaints(environ), unknown)


def _complaints(environ: Mapping[str, str]) -> Iterator[str]:
    for name in (each for proxy in _PROXIES for each in (proxy.lower(), proxy)):
        value = environ.get(name, "")
        url = value if "://" in value else f"http://{value}"
        if value and url.partition("://")[0].lower() not in _SCHEMES:
            yield f"{name} in the environment is of no scheme that a proxy has: give http://HOST:PORT, or unset it."
        elif value and not _readable(url):
            yield f"{name} in the environment is no URL of a proxy: give http://HOST:PORT, or unset it."
        elif url.lower().startswith("socks"):
            yield (
                f"{name} in the environment names a SOCKS proxy, which needs the package socksio: "
                "install httpx[socks], or give a proxy of http://."
            )
    for name in ("no_proxy", "NO_PROXY"):
        for entry in map(str.strip, environ.get(name, "").split(",")):
            # As httpx reads it: any name's end, or a URL.
            if entry and not _readable(entry if "://" in entry else f"all://*{entry}") and not _is_address(entry):
                yield (
                    f"{name} in the environment holds {entry!a}, which cannot be read as a host: "
                    "write names and addresses without brackets and networks, as in ::1, or leave it out."
                )


def _readable(url: str) -> bool:
    try:
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL, UnicodeError):
        return False
    return True


def _is_address(entry: str) -> bool:
    return _readable(f"all://[{entry}]") if ":" in entry and "[" not in entry else False


def is_url(text: str) -> bool:
    """Whether a text is an http(s) URL with a host, as httpx reads it."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and _readable(text)
    except ValueError:
        return False
