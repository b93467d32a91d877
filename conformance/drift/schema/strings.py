"""Text atoms: which strings they hold, samples of them, and whether one's strings are all another's.

What a `format` asserts is from the OpenAPI format registry and JSON Schema 2020-12 validation, 7.3. An unknown name is
an assertion that nobody here can check: narrower than none at all, unlike every other name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import jsonschema_rs

from conformance.drift.schema import languages
from conformance.drift.schema.atoms import Text
from conformance.drift.schema.languages import Language, NotRegularError, language_of, lengths
from conformance.drift.schema.values import key_of

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
def _format_validator(name: str) -> jsonschema_rs.Draft202012Validator:
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
    return bool(_format_validator(name).is_valid(text))


def _is_base64(text: str, extra: bytes) -> bool:
    try:
        base64.b64decode(text, altchars=extra, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


LONG = 2000
"""Longer strings than this are not made."""


@lru_cache(maxsize=1024)
def _pattern_validator(pattern: str) -> jsonschema_rs.Draft202012Validator | None:
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except (ValueError, jsonschema_rs.ValidationError):
        return None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern (ECMA-262) is found in the text; True for a pattern nobody here can read."""
    validator = _pattern_validator(pattern)
    return validator is None or bool(validator.is_valid(text))


def holds(atom: Text, text: str) -> bool:
    """Whether the atom admits this string (its `rest` aside)."""
    return (
        len(text) >= atom.low
        and (atom.high is None or len(text) <= atom.high)
        and all(matches(pattern, text) is wanted for pattern, wanted in atom.patterns)
        and all(fits(name, text) is wanted or not is_known(name) for name, wanted in atom.tags)
        and (not atom.denied or key_of(text) not in atom.denied)
    )


def _language(atom: Text, with_lengths: bool, upper: bool) -> Language:
    """The atom's strings; with `upper`, formats widen to their shape, else NotRegularError where one is no pattern."""
    parts = [language_of(p) if wanted else languages.negate(language_of(p)) for p, wanted in atom.patterns]
    for name, wanted in atom.tags:
        shape = language_of(SHAPES[name]) if name in SHAPES else languages.ALL
        exact = name in EXACT
        if exact or (upper and wanted):
            parts.append(shape if wanted else languages.negate(shape))
        elif not upper:
            raise NotRegularError(name)
    if with_lengths and (atom.low or atom.high is not None):
        parts.append(lengths(atom.low, atom.high))
    if not upper and atom.denied:
        parts.extend(_other_than(str(key[1])) for key in atom.denied if key[0] == "string")  # type: ignore[index]
    return languages.both(*parts)


def _exactly(text: str) -> Language:
    return languages.sequence(*(languages.characters([(ord(c), ord(c))]) for c in text))


def _other_than(text: str) -> Language:
    return languages.negate(_exactly(text))


def vacant(atom: Text) -> bool:
    """Whether no string can have the atom's lengths, patterns and formats all at once."""
    if not atom.patterns and not (atom.tags and (atom.low or atom.high is not None)):
        return False
    if (atom.low, atom.high, len(atom.patterns), len(atom.tags)) in ((0, None, 1, 0), (0, None, 0, 1)):
        return False
    if max(atom.low, atom.high or 0) > LONG:
        return False
    try:
        return languages.shortest(_language(atom, True, upper=True)) is None
    except (NotRegularError, OverflowError):
        return False


def samples(atom: Text) -> Iterator[str]:
    """Strings the atom admits, readable and short first; possibly none where it is too hard to tell."""
    seen: set[str] = set()
    for text in _guesses(atom):
        if text not in seen and holds(atom, text):
            seen.add(text)
            yield text


def _guesses(atom: Text) -> Iterator[str]:
    for name, wanted in atom.tags:
        if wanted:
            yield from SAMPLES.get(name, ())
    if atom.patterns:
        yield from _by_pattern(atom)
    else:
        yield from (letter * atom.low for letter in ("a", "Z", "0") if atom.low <= LONG)
        if atom.high is not None and atom.high <= LONG:
            yield "a" * atom.high
    yield from ("a", "", "ab", "A", "0", "1", "-1", "true", "null", "a b", "ü", "~ not {{", "a@b", "00")
    yield from ("a" * n for n in (atom.low + 1, atom.low + 7) if n <= LONG)


def _by_pattern(atom: Text) -> Iterator[str]:
    bounded = atom.high is None or atom.high <= LONG
    for with_lengths in (True, False) if bounded and atom.low <= LONG else (False,):
        try:
            language = _language(atom, with_lengths, upper=True)
            for _ in range(3):
                text = languages.shortest(language)
                if text is None:
                    break
                yield text
                language = languages.both(language, _other_than(text))
        except (NotRegularError, OverflowError):
            continue


def difference(first: Text, others: list[Text], listed: list[str] | None = None) -> tuple[bool, list[str]]:
    """Whether all strings of `first` are listed or of one of `others`, and candidates for one that is not.

    False is no proof of the opposite; a candidate that `holds` for first and for none of the others is.
    """
    if any(_contained(first, other) for other in others):
        return True, []
    candidates = _candidates(first, others)
    others = [replace(one, tags=frozenset(tag for tag in one.tags if not _implied(tag, first))) for one in others]
    for with_lengths in (False, True):
        try:
            wide = [_language(one, with_lengths or _short(one, first), False) for one in others]
            covering = languages.either(*wide, *(_exactly(text) for text in listed or ()))
            left = languages.both(_language(first, with_lengths, upper=True), languages.negate(covering))
            text = languages.shortest(left)
        except (NotRegularError, OverflowError):
            continue
        if text is None:
            return True, []
        candidates.insert(0, text)
    return False, candidates


def is_opaque(first: Text, others: list[Text]) -> bool:
    """Whether a format or pattern stands between them that nobody here can read: then no search settles anything."""
    return any(
        not is_known(name) and not _implied((name, wanted), first) for one in others for name, wanted in one.tags
    ) or any(not _is_regular(pattern) for one in others for pattern, _ in one.patterns - first.patterns)


def _is_regular(pattern: str) -> bool:
    try:
        language_of(pattern)
    except NotRegularError:
        return False
    return True


def _short(other: Text, first: Text) -> bool:
    """Whether the length limits of `other` are not implied by those of `first`."""
    return other.low > first.low or (other.high is not None and (first.high is None or first.high > other.high))


def _contained(first: Text, other: Text) -> bool:
    """By the constraints alone, one by one."""
    return (
        not _short(other, first)
        and other.patterns <= first.patterns
        and all(_implied(tag, first) for tag in other.tags)
        and all(key in first.denied or not holds(first, str(key[1])) for key in other.denied)  # type: ignore[index]
    )


def _implied(tag: tuple[str, bool], first: Text) -> bool:
    name, wanted = tag
    if wanted:
        return any(narrower(own, name) for own, held in first.tags if held)
    return any(narrower(name, own) for own, held in first.tags if not held)


def _candidates(first: Text, others: list[Text]) -> list[str]:
    """Strings at the edges: too short, too long, outside a format."""
    lengths_tried = {first.low, first.low + 1}
    for other in others:
        lengths_tried.update(n for n in (other.low - 1, (other.high or 0) + 1) if n >= 0)
    found = [letter * n for n in sorted(lengths_tried) if n <= 100_000 for letter in "a0"]
    return [*samples(first), *found]
