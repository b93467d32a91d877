"""Addresses: base URLs, what stands beneath them, and where a token may go."""

from __future__ import annotations

import pytest

from conformance.errors import UsageError
from conformance.targets.address import Allowed, base_url, beneath, is_beneath, path_within, token_may_go

INFER = "/v1/api/pipelines/infer/p-1/p"


@pytest.mark.parametrize(
    ("target", "base"),
    [
        ("https://a.example", "https://a.example"),
        ("HTTPS://A.Example:443/", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("https://a.example:8443/", "https://a.example:8443"),
        ("https://a.example./", "https://a.example"),
        ("https://[::1]:8080", "https://[::1]:8080"),
        ("https://a.example/tenant-b", "https://a.example/tenant-b"),
        ("https://a.example/tenant-b/v1/api/", "https://a.example/tenant-b"),
        ("https://a.example/v1/api/docs", "https://a.example"),
        ("https://a.example/v1/api/docs/?x=1#/pipelines", "https://a.example"),
        ("https://a.example/v1/apis", "https://a.example/v1/apis"),
    ],
)
def test_a_target_is_read_as_its_base(target: str, base: str) -> None:
    assert base_url(target) == base


@pytest.mark.parametrize(
    "target",
    [
        "a.example",
        "ftp://a.example",
        "https://",
        "https://a.example:port",
        "http://[::1",
        "https://a b",
        "https://a/?q",
    ],
)
def test_what_is_no_base_is_refused_in_one_sentence(target: str) -> None:
    with pytest.raises(UsageError, match="target"):
        base_url(target)


def test_a_path_stands_beneath_the_base_and_a_whole_url_for_itself() -> None:
    assert beneath("https://a.example/tenant-b", "/v1/api/x") == "https://a.example/tenant-b/v1/api/x"
    assert beneath("https://a.example/tenant-b", "http://b.example/y") == "http://b.example/y"
    assert beneath("https://a.example", "/v1/api/x/../y") == "https://a.example/v1/api/x/../y"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/tenant-b" + INFER,
        "https://a.example:443/tenant-b" + INFER,
        "https://b.example" + INFER,
        "https://b.example/elsewhere" + INFER,
    ],
)
def test_an_operation_is_known_by_its_path_under_any_base(url: str) -> None:
    assert path_within("https://a.example/tenant-b", url) == INFER


def test_what_stands_beside_the_base_is_not_beneath_it() -> None:
    base = "https://a.example/tenant-b"
    assert is_beneath(base, "https://a.example:443/tenant-b/v1/api/x")
    assert not is_beneath(base, "https://a.example/v1/api/x")
    assert not is_beneath(base, "https://a.example/tenant-bc/v1/api/x")
    assert not is_beneath(base, "https://b.example/tenant-b/v1/api/x")


@pytest.mark.parametrize(
    ("url", "base", "allowed", "may"),
    [
        ("https://a.example:443/x", "https://a.example", (), True),
        ("https://A.example./x", "https://a.example", (), True),
        ("https://api.a.example/x", "https://a.example", (), True),
        ("https://a.example:8443/x", "https://a.example", (), False),
        ("http://a.example/x", "https://a.example", (), False),
        ("http://a.example/x", "https://a.example", ("a.example",), False),
        ("http://a.example/x", "https://a.example", ("http://a.example",), True),
        ("https://b.example:9/x", "https://a.example", ("b.example",), True),
        ("https://b.example:9/x", "https://a.example", ("b.example:9",), True),
        ("https://b.example:9/x", "https://a.example", ("b.example:8",), False),
        ("http://b.example/x", "http://a.example", ("B.example.",), True),
        ("https://[fd00::1]/x", "https://a.example", ("fd00::1",), True),
        ("ftp://a.example/x", "https://a.example", ("a.example",), False),
    ],
)
def test_a_token_goes_to_its_own_origin_and_where_it_is_allowed(
    url: str, base: str, allowed: tuple[str, ...], may: bool
) -> None:
    assert token_may_go(url, base, allowed) is may


@pytest.mark.parametrize("host", ["", "a b", "a.example/path", "http://", "user@a.example", "a.example:x"])
def test_what_is_no_host_cannot_be_allowed(host: str) -> None:
    with pytest.raises(UsageError, match="--allow-host"):
        Allowed.read(host)
