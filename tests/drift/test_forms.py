from __future__ import annotations

import datetime
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from markdown_it import MarkdownIt

from conformance.data import SPECS
from conformance.drift.compare import compare
from conformance.drift.openapi.comparison import Comparison
from conformance.drift.report import FORMS, render
from conformance.drift.report.sections import Section, render_with
from conformance.drift.sources.ignoring import Ignored, leave_out
from tests.drift.pairs import description, document_pairs, edited

EVIL = "<script>alert(1)</script>`*|\"'&"
BASE = description({"type": "object", "properties": {EVIL: {"enum": ["a"]}}}, "response", {})
REVISION = edited(
    description({"type": "object", "properties": {EVIL: {"enum": ["a", EVIL]}}}, "response", {}), {"/info/title": EVIL}
)
FOUND = compare(BASE, REVISION)
ENTRY = Ignored(EVIL, EVIL, datetime.date(2099, 1, 1), (("kind", "info-changed"),))
STALE = Ignored("r", "o", datetime.date(2000, 1, 1), (("location", EVIL),))
IGNORED = leave_out(FOUND, (ENTRY, STALE), datetime.date(2026, 1, 1))
SCHEMA = jsonschema_rs.Draft202012Validator(json.loads((SPECS / "drift.schema.json").read_text("utf-8")))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("found", [FOUND, IGNORED, compare(BASE, BASE)], ids=["changed", "ignored", "same"])
def test_every_form_says_the_verdict_and_every_change(found: Comparison, form: str) -> None:
    text = render(found, form)
    assert text.endswith("\n")
    for change in found.changes:
        assert change.kind in text
    if form != "json":
        assert {"breaking": "reaking", "non-breaking": "nothing breaks", "none": "o"}[found.verdict] in text


def test_json_is_what_its_schema_says() -> None:
    for found in (FOUND, IGNORED, *(compare(base, revision) for _, _, base, revision, _ in document_pairs())):
        SCHEMA.validate(json.loads(render(found, "json")))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("found", [FOUND, IGNORED], ids=["changed", "ignored"])
def test_the_page_escapes_what_descriptions_say_and_fetches_nothing(found: Comparison) -> None:
    page = _Page()
    page.feed(render(replace(found, sources={"base": EVIL, "revision": EVIL}), "html"))
    assert "script" not in page.tags
    assert not page.links
    assert EVIL in page.text


def test_markdown_escapes_what_descriptions_say() -> None:
    page = MarkdownIt("commonmark").render(
        render(replace(IGNORED, sources={"base": EVIL, "revision": EVIL}), "markdown")
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_section_in_markdown_shows_no_image_and_mentions_nobody() -> None:
    told = "![x](https://h.example/x.png)\n@everyone | <img src=x>"
    section = Section("notes", [], "Notes", (told,), ("where", "what"), ((told, "here"),))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(render_with(FOUND, "markdown", (section,)))
    assert "<img" not in page
    assert "@everyone" not in page
    assert page.count("<td>") == 2


def test_sarif_names_files_of_the_repository_with_the_line(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name, value in (("base.yaml", BASE), ("revision.yaml", REVISION)):
        (tmp_path / name).write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    sources = {"base": str(tmp_path / "base.yaml"), "revision": str(tmp_path / "revision.yaml")}
    run = json.loads(render(replace(IGNORED, sources=sources), "sarif"))["runs"][0]
    assert [result["level"] for result in run["results"]] == ["error", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "revision.yaml"
    text = (tmp_path / "revision.yaml").read_text("utf-8").splitlines()
    assert "application/json" in text[place["region"]["startLine"] - 1]
    assert run["results"][1]["suppressions"]
    assert run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]]["id"] == run["results"][0]["ruleId"]


def test_sarif_names_no_file_outside_a_repository() -> None:
    assert "physicalLocation" not in render(
        replace(FOUND, sources={"base": "/x/a", "revision": "https://h.example/b"}), "sarif"
    )
