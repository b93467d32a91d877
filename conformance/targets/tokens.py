"""JSON Web Tokens taken apart and signed anew, for probes of who is let in (RFC 7515, RFC 7519)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@dataclass(frozen=True)
class Claims:
    """A token's header and claims; what it was signed with is no part of it."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def of(cls, token: str) -> Claims | None:
        """The parts of a token; None where it is no JSON Web Token, as an opaque one is not."""
        try:
            header, claims = (json.loads(_bytes(part)) for part in token.split(".")[:2])
        except ValueError:
            return None
        return cls(header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None

    def unsigned(self) -> str:
        """The same claims under alg none, with an empty signature."""
        return f"{_text({**self.header, 'alg': 'none'})}.{_text(self.claims)}."

    def signed(self, key: Key, **changes: Any) -> str:
        """The same header and claims, with `changes` among the claims, signed by RS256."""
        signing = f"{_text({**self.header, 'alg': 'RS256'})}.{_text({**self.claims, **changes})}"
        signature = key.private.sign(signing.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signing}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@dataclass(frozen=True)
class Key:
    """An RSA key that signs tokens."""

    private: rsa.RSAPrivateKey

    @classmethod
    def read(cls, path: Path) -> Key:
        """The key in a PEM file."""
        return cls(_private(path))


@lru_cache(maxsize=4)
def _private(path: Path) -> rsa.RSAPrivateKey:
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return private


@lru_cache(maxsize=1)
def strangers_key() -> Key:
    """A key that nobody trusts."""
    return Key(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@contextmanager
def issuers_key() -> Iterator[Path]:
    """A PEM file, readable by us alone, with a new key for an emulated instance to sign its tokens with.

    Whoever has it can make the tokens that no issuer would give: expired, not valid yet, for another audience.
    """
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with TemporaryDirectory(prefix="conformance-") as folder:
        path = Path(folder) / "signing-key.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        yield path


def _text(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
