"""What each `format` asserts: the registered names of OpenAPI and JSON Schema, which is narrower, and samples of each.

Source: the OpenAPI format registry and JSON Schema 2020-12 validation, 7.3. An unknown name is an assertion nobody here
can check: narrower than none at all, unlike every other name.
"""

from __future__ import annotations

import base64
import binascii
from fractions import Fraction
from functools import lru_cache

import jsonschema_rs

_FLOAT, _DOUBLE = Fraction(2**128 - 2**104), Fraction(2**1024 - 2**970)
RANGES: dict[str, tuple[Fraction, Fraction, Fraction]] = {
    **{
        f"int{bits}": (Fraction(-(2 ** (bits - 1))), Fraction(2 ** (bits - 1) - 1), Fraction(1))
        for bits in (8, 16, 32, 64)
    },
    **{f"uint{bits}": (Fraction(0), Fraction(2**bits - 1), Fraction(1)) for bits in (8, 16, 32, 64)},
    "double-int": (Fraction(1 - 2**53), Fraction(2**53 - 1), Fraction(1)),
    "float": (-_FLOAT, _FLOAT, Fraction(0)),
    "double": (-_DOUBLE, _DOUBLE, Fraction(0)),
}
"""Numeric formats: lowest, highest, step."""

HINTS = frozenset({"password", "commonmark", "html", "textarea", "decimal"})
"""Formats that say how to show a value and refuse none."""

WIDER: dict[str, tuple[str, ...]] = {
    "email": ("idn-email",),
    "hostname": ("idn-hostname",),
    "uri": ("uri-reference", "iri", "iri-reference"),
    "uri-reference": ("iri-reference",),
    "iri": ("iri-reference",),
    "byte": ("base64url-or-base64",),
}
"""Formats whose strings are all strings of these as well."""

_HEX = "[0-9a-fA-F]"
SHAPES: dict[str, str] = {
    "uuid": f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$",
    "date": "^\\d{4}-\\d{2}-\\d{2}$",
    "date-time": "^\\d{4}-\\d{2}-\\d{2}[Tt ]\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2})$",
    "ipv4": "^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}$",
    "time": "^\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2})$",
    "duration": "^P.+$",
    "email": "^.+@.+$",
    "uri": "^[A-Za-z][A-Za-z0-9+.-]*:",
    "ipv6": "^[0-9a-fA-F:.]{2,45}$",
    "hostname": "^[A-Za-z0-9.-]{1,253}$",
    "byte": "^[A-Za-z0-9+/]*={0,2}$",
}
"""A pattern every string of the format has; not every string of the pattern is of the format, `uuid` aside."""

EXACT = frozenset({"uuid"})
"""Formats that are exactly their shape."""

SAMPLES: dict[str, tuple[str, ...]] = {
    "uuid": ("3fa85f64-5717-4562-b3fc-2c963f66afa6", "00000000-0000-0000-0000-000000000000"),
    "date": ("2024-02-29", "1999-12-31"),
    "date-time": ("2024-02-29T12:00:00Z", "1999-12-31T23:59:59.5+01:00"),
    "time": ("12:00:00Z",),
    "duration": ("P1D",),
    "email": ("a@example.org", "a@b.example"),
    "idn-email": ("a@example.org",),
    "hostname": ("example.org", "a"),
    "idn-hostname": ("example.org", "bücher.example"),
    "ipv4": ("192.0.2.1",),
    "ipv6": ("2001:db8::1",),
    "uri": ("https://example.org/a", "urn:a", "a:"),
    "uri-reference": ("/a", "https://example.org/a"),
    "iri": ("https://example.org/a", "https://bücher.example/"),
    "iri-reference": ("/a", "/ü"),
    "uri-template": ("/a/{b}",),
    "json-pointer": ("/a", ""),
    "relative-json-pointer": ("0/a",),
    "regex": ("^a$",),
    "byte": ("YWJj", ""),
    "base64url": ("YWJj", ""),
    "binary": ("abc", ""),
}


def narrower(first: str, second: str) -> bool:
    """Whether every string of the first format is one of the second."""
    return first == second or second in WIDER.get(first, ())


@lru_cache(maxsize=512)
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True)


def is_known(name: str) -> bool:
    """Whether `fits` can tell. Of raw bytes (`binary`) any text may be some."""
    return name in SAMPLES and name != "binary"


def fits(name: str, text: str) -> bool:
    """Whether the string is of the format; True where nobody here can tell."""
    if name in ("byte", "base64url"):
        return _is_base64(text, b"-_" if name == "base64url" else b"+/")
    if name == "binary" or name not in SAMPLES:
        return True
    return bool(_validator(name).is_valid(text))


def _is_base64(text: str, extra: bytes) -> bool:
    try:
        base64.b64decode(text, altchars=extra, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
