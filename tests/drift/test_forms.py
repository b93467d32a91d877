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
from conformance.drift.changes import Comparison
from conformance.drift.compare import compare
from conformance.drift.openapi.document import Loaded, read
from conformance.drift.report.entries import entries, shortened
from conformance.drift.report.forms import FORMS, render, uri_of
from conformance.drift.report.sections import Section
from conformance.drift.sources.collection import Ignored, OfRelease, leave_out, upgrade
from conformance.spec.document import Document
from tests.drift.pairs import description, document_pairs, edited

EVIL = "<script>alert(1)</script>`*|\"'&"
BASE = description({"type": "object", "properties": {EVIL: {"enum": ["a"]}}}, "response", {})
REVISION = edited(
    description({"type": "object", "properties": {EVIL: {"enum": ["a", EVIL]}}}, "response", {}), {"/info/title": EVIL}
)
FOUND = compare(BASE, REVISION)
ENTRY = Ignored(EVIL, EVIL, datetime.date(2099, 1, 1), (("kind", "info-changed"),))
STALE = Ignored("r", "o", datetime.date(2000, 1, 1), (("location", EVIL),))
TODAY = datetime.date(2026, 1, 1)
IGNORED = leave_out(FOUND, (ENTRY, STALE), TODAY)
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
    text = render(replace(found, sources={"base": EVIL, "revision": EVIL}), "html")
    page = _Page()
    page.feed(text)
    assert text.count("<script") == 1, "its own, which its policy names by its hash"
    assert all(str(link).startswith(("#", "data:")) for link in page.links)
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
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(render(FOUND, "markdown", (section,)))
    assert "<img" not in page
    assert "@everyone" not in page
    assert page.count("<td>") == 2


def _files(folder: Path) -> tuple[Loaded, Loaded]:
    for name, value in (("base.yaml", BASE), ("revision.yaml", REVISION)):
        (folder / name).write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return read(folder / "base.yaml"), read(folder / "revision.yaml")


def test_sarif_names_files_of_the_repository_with_the_line_of_the_property(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    run = json.loads(render(IGNORED, "sarif", described=_files(tmp_path)))["runs"][0]
    assert [result["level"] for result in run["results"]] == ["error", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "revision.yaml"
    text = (tmp_path / "revision.yaml").read_text("utf-8").splitlines()
    assert "<script>" in text[place["region"]["startLine"] - 1]
    assert run["results"][1]["suppressions"]
    assert run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]]["id"] == run["results"][0]["ruleId"]


def test_sarif_names_a_relative_file_outside_a_repository_and_for_releases(tmp_path: Path) -> None:
    releases = tuple(OfRelease(Document.load(name)) for name in ("2023.4", "2026.1"))
    for found, described in (
        (FOUND, _files(tmp_path)),
        (FOUND, (None, None)),
        (upgrade("2023.4", "2026.1").comparison, releases),
    ):
        (run,) = json.loads(render(found, "sarif", described=described))["runs"]
        assert run["results"]
        for result in run["results"]:
            place = result["locations"][0]["physicalLocation"]
            assert not place["artifactLocation"]["uri"].startswith("/")
            assert "://" not in place["artifactLocation"]["uri"]
            assert place["region"]["startLine"] >= 1


def test_a_files_name_in_sarif_is_never_a_url() -> None:
    assert uri_of("https://h.example/v1/api.json?token=x") == "api.json"
    assert uri_of("https://h.example") == "openapi.json"


MANY = {
    "openapi": "3.1.0",
    "info": {"title": "T", "version": "1"},
    "paths": {
        f"/a{i}": {
            "get": {
                "operationId": f"a{i}",
                "responses": {
                    "200": {
                        "description": "x",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/S"}}},
                    }
                },
            }
        }
        for i in range(400)
    },
    "components": {"schemas": {"S": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
}
WIDER = edited(MANY, {"/components/schemas/S/properties/n/type": "number"})


def test_changes_of_one_cause_are_one_entry_with_its_places() -> None:
    found = compare(MANY, WIDER)
    assert len(found.changes) == 400
    (entry,) = entries(found.changes)
    assert len(entry.places) == 400
    text = render(found, "text")
    assert len(text.splitlines()) < 40
    assert "200.body.n of a0 (GET /a0)" in text
    assert "and 397 more" in text
    assert render(found, "text", whole=True).count("(GET /a") >= 400
    assert len(json.loads(render(found, "json"))["changes"]) == 400
    assert render(found, "html").count("<li><code>response.200.body.n</code>") == 400


def test_changes_of_other_causes_are_entries_of_their_own() -> None:
    other = edited(WIDER, {"/paths/~1a7/get/responses/200/content/application~1json/schema": {"type": "string"}})
    assert {len(one.places) for one in entries(compare(MANY, other).changes)} == {399, 1}


def test_markdown_fits_a_comment_and_says_what_it_left_out() -> None:
    names = [f"/a{i}/get/operationId" for i in range(400)]
    revision = edited(
        MANY, {f"/paths{name.replace('/a', '/~1a', 1)}": f"{'b' * 150}{i}" for i, name in enumerate(names)}
    )
    rows = tuple((f"place {i}", "x" * 200) for i in range(1000))
    section = Section("notes", [], "Notes", (), ("where", "what"), rows)
    text = render(compare(MANY, revision), "markdown", (section,))
    assert len(text) <= 65_000
    assert "`--all`" in text
    assert len(render(compare(MANY, revision), "markdown", (section,), whole=True)) > 65_536


def test_where_everything_is_accepted_nothing_is_called_the_same() -> None:
    found = leave_out(compare(MANY, WIDER), (replace(ENTRY, selectors=(("location", "response.200.body.n"),)),), TODAY)
    assert "Nothing but accepted changes (400)." in render(found, "text")
    assert not any("mean the same" in render(found, form) for form in FORMS)


def test_a_long_list_of_values_is_shortened_with_a_count() -> None:
    text = shortened(f"Fewer values ({', '.join(map(str, range(500)))}).")
    assert len(text) < 120
    assert "and 487 more, 499" in text
