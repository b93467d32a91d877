"""The sentences of a Markdown document, each by the heading it stands under and a digest that survives reformatting.

The catalogue names the sentences a requirement stands on by digest alone, so that none of them is copied.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_HEADING = re.compile(r"^(#{1,6})\s+(.*)$")
_ITEM = re.compile(r"^\s*[*+-]\s+(.*)$")
_RULE = re.compile(r"^[\s|:-]+$")
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\[\"'])")
_MARKUP = re.compile(r"[*`|\\]|&nbsp;")


@dataclass(frozen=True)
class Sentence:
    """One sentence, table row, code block or printed output. `text` is normalised; `line` counts from 1."""

    heading: str
    text: str
    line: int
    kind: str

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the normalised text in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def normalised(text: str) -> str:
    """A text as it is digested: links reduced to their words, emphasis, code marks, bars and `&nbsp;` taken out, and
    every run of white space one blank."""
    return " ".join(_MARKUP.sub(" ", _LINK.sub(r"\1", text)).split())


def sentences(markdown: str) -> Iterator[Sentence]:
    """Every unit of a Markdown text that says something, in order.

    Paragraphs and list items are split at ends of sentences; a row of a table, a fenced or indented block and an HTML
    table are one unit each. Headings and a table's head are none: they name what stands under them.
    """
    heading, lines = "", markdown.splitlines()
    index = 0
    while index < len(lines):
        line = lines[index]
        if match := _HEADING.match(line):
            heading, index = normalised(match[2]), index + 1
            continue
        kind, end = _block(lines, index)
        if kind:
            for offset, text in _units(kind, lines[index:end]):
                if normalised(text):
                    yield Sentence(heading, normalised(text), index + offset + 1, kind)
        index = max(end, index + 1)


def _block(lines: list[str], start: int) -> tuple[str, int]:
    """The kind of block that begins on a line, empty for none, and the line after its end."""
    line = lines[start]
    if not line.strip():
        return "", start + 1
    if line.lstrip().startswith("```"):
        return "code", _after(lines, start + 1, lambda text: text.lstrip().startswith("```")) + 1
    if line.startswith("    ") and not _ITEM.match(line):
        return "output", _after(lines, start, lambda text: bool(text.strip()) and not text.startswith("    "))
    if line.startswith("<table"):
        return "output", _after(lines, start, lambda text: text.startswith("</table>")) + 1
    if line.startswith("|"):
        return "table", _after(lines, start, lambda text: not text.startswith("|"))
    if _ITEM.match(line):
        return "item", start + 1
    return "paragraph", _after(lines, start, lambda text: not text.strip() or bool(_ITEM.match(text)))


def _after(lines: list[str], start: int, ends: Callable[[str], bool]) -> int:
    return next((index for index in range(start, len(lines)) if ends(lines[index])), len(lines))


def _units(kind: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    """(line within the block, text) of each unit of a block."""
    if kind == "table":
        yield from ((offset, line) for offset, line in enumerate(lines) if offset > 0 and not _RULE.match(line))
    elif kind in ("code", "output"):
        yield 0, " ".join(line for line in lines if not line.lstrip().startswith("```"))
    else:
        text = _LINK.sub(r"\1", " ".join(_ITEM.sub(r"\1", line).strip() for line in lines))
        yield from ((0, sentence) for sentence in _END.split(text))
