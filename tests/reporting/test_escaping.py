"""Text of any origin stays text in Markdown, in a paragraph, in a table cell and in code."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from conformance.reporting.escaping import cell, code, fenced, plain

HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil/x.png)",
    "[link](javascript:alert(1))",
    "# heading",
    "- item",
    "1. item",
    "=====",
    "> quote",
    "a | b | c",
    "**bold** _it_ ~~no~~ `code`",
    "&amp; &lt;",
    "C:\\path\\*",
    "http://evil.example www.evil.example",
    "line\n\n## break\r\nout",
    "```\nfence",
    "@everyone and @someone, mail a@b.example",
    "closes #12, GH-12, owner/name#12 :tada:",
)


def shown(text: str) -> str:
    return text.replace("\u200b", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(plain(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children or ()} <= {"text", "text_special"}
    assert shown("".join(child.content for child in tokens[1].children or ())) == " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_inside_its_table_cell(text: str) -> None:
    html = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(f"| a | b |\n| - | - |\n| {cell(text)} | end |\n")
    )
    assert html.count("<td>") == 2
    assert set(re.findall(r"<(\w+)", html)) <= {"table", "thead", "tbody", "tr", "th", "td", "br"}


@pytest.mark.parametrize("text", HOSTILE)
def test_no_mention_and_no_reference_is_left_once_markdown_was_read(text: str) -> None:
    html = MarkdownIt("commonmark").render(plain(text))
    assert not re.search(r"@\w|#\d|\bGH-\d", html)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_inside_a_code_span_and_its_table_cell(text: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(f"| a | b |\n| - | - |\n| {code(text)} | end |\n")
    assert html.count("<td>") == 2
    assert html.count("<code>") == 1
    assert "<script>" not in html


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    text = "curl '````'\n```\n"
    (fence,) = MarkdownIt("commonmark").parse("\n".join(fenced(text, "bash")))
    assert (fence.type, fence.content) == ("fence", text)
