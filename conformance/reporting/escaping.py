"""Text of any origin as Markdown that shows it letter by letter: what every Markdown report writes goes through here.

A description's or a target's words may hold markup, links, images, mentions (`@everyone`), references to issues (`#1`)
and HTML; none of them may take effect in a comment or a summary page.
"""

from __future__ import annotations

import re

_BREAK = "&#8203;"
"""A space of no width. A page's mentions and issue references are found after Markdown has been read, where neither a
backslash nor a character reference stops them; this does."""


_LIVE = re.compile(r"@|#(?=\d)|\bGH-(?=\d)|:(?=[\w+-]+:)", re.IGNORECASE)
"""Where a mention, a reference to an issue or a picture by its name begins."""


def plain(text: str) -> str:
    """The text in one line, also within a table cell: no markup, link, image, formula or mention takes effect."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", line)
    line = _LIVE.sub(lambda found: found[0] + _BREAK, line)
    line = re.sub(r"^([-+=]|\d+(?=[.)]))", _reference, line)
    return re.sub(r"\$|:(?=//)|(?<=www)\.", _reference, line)


def cell(text: str) -> str:
    """The text for a table cell, its line breaks kept."""
    return "<br>".join(plain(line) for line in str(text).splitlines())


def _reference(match: re.Match[str]) -> str:
    """A backslash does not stop a formula or an address from being read as one; references do."""
    return "".join(f"&#{ord(character)};" for character in match[0])


def code(text: str) -> str:
    """A code span, also in a table cell."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    ticks = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fenced(text: str, language: str) -> list[str]:
    """The lines of a code block whose fence is longer than any run of backticks in it."""
    fence = "`" * max(3, max(map(len, re.findall("`+", text)), default=0) + 1)
    return [f"{fence}{language}", *text.splitlines(), fence]
