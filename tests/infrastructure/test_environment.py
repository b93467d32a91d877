"""What a user's environment may hold: each thing that cannot be used is one sentence, and never our own fault."""

from __future__ import annotations

import os
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.infrastructure.conftest import Refused

TARGET = ("run", "--target", "https://127.0.0.1:1", "--effects", "read", "--suite", "lifecycle")

UNUSABLE = [
    ("HTTP_PROXY", "foo://proxy:3128", "scheme"),
    ("https_proxy", "htp://proxy:3128", "scheme"),
    ("ALL_PROXY", "socks5://proxy:1080", "socksio"),
    ("HTTPS_PROXY", "http://[::1", "no URL"),
    ("NO_PROXY", "localhost,[::1]", "'[::1]'"),
    ("no_proxy", "fd00::/8", "'fd00::/8'"),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE"),
    ("SSL_CERT_FILE", os.devnull, "SSL_CERT_FILE"),
    ("SSL_CERT_DIR", "/nowhere/certificates", "SSL_CERT_DIR"),
    ("SSLKEYLOGFILE", "/nowhere/keys", "SSLKEYLOGFILE"),
    ("CONFORMANCE_TOKEN_URL", "keycloak.example/token", "CONFORMANCE_TOKEN_URL"),
    ("CONFORMANCE_TOKEN_URL", "https://", "CONFORMANCE_TOKEN_URL"),
    ("CONFORMANCE_TOKEN", "two words", "CONFORMANCE_TOKEN"),
]


@pytest.mark.parametrize(("name", "value", "told"), UNUSABLE, ids=[f"{name}={value}" for name, value, _ in UNUSABLE])
def test_a_variable_that_cannot_be_used_is_a_usage_error_in_one_sentence(
    name: str, value: str, told: str, refused: Refused
) -> None:
    code, said = refused(*TARGET, **{name: value})
    assert code == 2, said
    assert said.startswith("Error: ")
    assert name.upper() in said.upper()
    assert told in said
    assert len(said.splitlines()) == 1


def test_a_proxy_that_is_well_written_is_used(refused: Refused) -> None:
    code, said = refused(
        "run", "--target", "https://a.invalid", *TARGET[3:], HTTPS_PROXY="127.0.0.1:1", NO_PROXY="::1,10.0.0.0/8"
    )
    assert code == 3
    assert "through the proxy http://127.0.0.1:1" in said


VARIABLES = st.sampled_from(
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
     "SSLKEYLOGFILE", "CONFORMANCE_TOKEN_URL", "CONFORMANCE_TOKEN", "CONFORMANCE_USERNAME", "CONFORMANCE_PASSWORD",
     "CONFORMANCE_CLIENT_SECRET", "CONFORMANCE_CLIENT_ID"]
)  # fmt: skip
PIECES = st.sampled_from(
    ["http://", "https://", "socks5://", "all://", "://", "[", "]", "::1", "127.0.0.1", "fd00::", "/8", ":", ":99999",
     "*", ",", "@", "user:p@ss@", "%zz", "é", "\udcff", " ", "\t", "a.invalid", "/", "/etc/passwd", "?", "#", "\\"]
)  # fmt: skip
VALUES = st.lists(PIECES | st.text(string.printable.replace("\0", ""), max_size=3), min_size=1, max_size=5).map("".join)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(st.dictionaries(VARIABLES, VALUES, min_size=1, max_size=3), st.sampled_from(["127.0.0.1:1", "a.invalid"]))
def test_nothing_in_an_environment_is_our_own_fault(refused: Refused, variables: dict[str, str], host: str) -> None:
    code, said = refused("run", "--target", f"https://{host}", *TARGET[3:], **variables)
    assert code in (2, 3), said
    assert "please report it" not in said, (variables, said)
    assert "suite itself failed" not in said
    assert "Traceback" not in said
