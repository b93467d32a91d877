"""Under which name an emulated instance was asked, where an ingress on this machine says so."""

from __future__ import annotations

import pytest

from conformance.emulator.wire import forwarded_base

HOST = {"host": "upstream:8080"}


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, ""),
        ({"x-forwarded-proto": "https"}, "https://upstream:8080"),
        ({"x-forwarded-proto": "https", "x-forwarded-host": "api.a.example"}, "https://api.a.example"),
        ({"x-forwarded-proto": "https, http", "x-forwarded-host": "a.example, b.example"}, "https://a.example"),
        ({"forwarded": 'for=1.2.3.4;proto=https;host="a.example:8443", for=5.6.7.8'}, "https://a.example:8443"),
        ({"forwarded": "Proto=HTTPS;Host=a.example", "x-forwarded-host": "b.example"}, "https://a.example"),
        ({"x-forwarded-host": "a.example/<script>"}, "http://upstream:8080"),
        ({"x-forwarded-proto": "gopher", "x-forwarded-host": "a.example"}, "http://a.example"),
    ],
)
def test_the_first_name_told_is_the_clients(headers: dict[str, str], base: str) -> None:
    assert forwarded_base({"scheme": "http", "client": ("127.0.0.1", 5)}, HOST | headers) == base


@pytest.mark.parametrize("client", [("10.0.0.7", 5), ("::2", 5), None])
def test_nobody_but_this_machine_is_believed(client: tuple[str, int] | None) -> None:
    told = HOST | {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    assert forwarded_base({"scheme": "http", "client": client}, told) == ""
