"""The page as text: one file, one script, nothing of the target's that is markup, every section the result gives."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from conformance.reporting import html, lifecycle
from tests.reporting import sample


class Page(HTMLParser):
    """Elements and attributes of a page, and the text outside script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style"):
            self.text += data


def hostile(value: Any, text: str) -> Any:
    """The result with hostile text in every string that a target or a person could have written."""
    kept = {"verdict", "outcome", "level", "basis", "standing", "kind", "event", "id", "started", "last_day"}
    if isinstance(value, dict):
        return {key: item if key in kept else hostile(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, text) for item in value]
    return f"{value}{text}" if isinstance(value, str) else value


@pytest.mark.parametrize("result", [sample.result(), sample.conformant()], ids=["not-conformant", "conformant"])
def test_nothing_is_loaded_from_anywhere(result: dict[str, Any]) -> None:
    page = Page(html.render(result))
    for tag, attributes in page.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "audio", "video", "source")
        assert not {"src", "srcset", "action", "style"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><b>", "{{ 7*7 }}", "' onclick='x"]
)
def test_every_string_is_escaped_wherever_it_stands(text: str) -> None:
    result = sample.result()
    result["baseline"] = {"newly_broken": [{"requirement": "x", "operation": "y"}], "fixed": [], "newly_untested": []}
    result["drift"] = {
        "verdict": "breaking",
        "changes": [{"operation": "a", "location": "b", "message": "c", "kind": "d", "breaking": True}],
    }
    page, plain = Page(html.render(hostile(result, text))), Page(html.render(result))
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    assert text in page.text


def test_the_pages_own_policy_allows_its_script_and_style_and_nothing_else() -> None:
    text = html.render(sample.result())
    (policy,) = [a["content"] for tag, a in Page(text).elements if a.get("http-equiv") == "Content-Security-Policy"]
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none';")


def test_each_requirement_is_there_with_wording_source_and_commands() -> None:
    page = Page(html.render(sample.result()))
    ids = [a["id"] for tag, a in page.elements if a.get("class") == "requirement"]
    assert sorted(map(str, ids)) == sorted(row.id for row in sample.ROWS)
    for part in (
        sample.SAME_ID.text,
        sample.SAME_ID.source,
        "15, not 14",
        "curl -sS",
        "import httpx",
        "take pipeline_pk_id",
    ):
        assert part in page.text


def test_a_requirement_that_held_shows_a_request_of_its_own() -> None:
    result = sample.result(witnesses={sample.INTEGER.id: sample.CREATE})
    row = next(row for row in result["requirements"] if row["id"] == sample.INTEGER.id)
    assert row["witness"]["curl"].startswith("curl ")
    assert "A request that shows it held" in Page(html.render(result)).text


def test_sections_without_content_are_left_out() -> None:
    bare = {**sample.conformant(), "timeline": [], "waivers": [], "suites": []}
    for name in ("drift", "baseline"):
        bare.pop(name, None)
    ids = [a.get("id") for tag, a in Page(html.render(bare)).elements if tag == "section"]
    assert ids == ["requirements", "matrix", "reached"]


def test_a_result_of_the_documented_keys_alone_is_rendered() -> None:
    keys = (
        "verdict",
        "exit_code",
        "reason",
        "target",
        "profile",
        "scope",
        "seed",
        "strict",
        "requirements",
        "reached",
        "requests",
    )
    finding = ("expected", "actual", "operation", "curl", "fingerprint")
    row = ("id", "outcome", "level", "basis", "gates", "text", "source", "evidence", "findings")
    result = {key: copy.deepcopy(sample.result())[key] for key in keys}
    result["requirements"] = [
        {k: [{f: item[f] for f in finding} for item in r[k]] if k == "findings" else r[k] for k in row}
        for r in result["requirements"]
    ]
    assert "Not conformant" in Page(html.render(result)).text


def test_a_suite_that_was_cut_short_is_shown_with_what_is_known() -> None:
    assert "cut-short" in Page(html.render(sample.result(suites={"cut-short": {"name": "cut-short"}}))).text


def test_the_lifecycle_is_measured_from_deploy_to_running_to_gone() -> None:
    (lane,) = lifecycle.lanes_of(sample.result()["timeline"])
    assert lane.to_running == pytest.approx(0.28)
    assert lane.to_gone == pytest.approx(0.15)
    assert [stage for stage, _, _ in lane.spans] == ["starting", "running", "stopping"]
    assert [seconds for _, seconds, _ in lane.inferences] == [0.012, 0.031]


def test_a_deployment_that_failed_and_one_that_never_ended_are_drawn() -> None:
    events = [
        {"event": "deploy", "deployment": "a-1", "at": 0.0},
        {"event": "status", "deployment": "a-1", "at": 1.0, "status": "Error"},
        {"event": "deploy", "deployment": "b-2", "at": 2.0},
    ]
    first, second = lifecycle.lanes_of(events)
    assert [stage for stage, _, _ in first.spans] == ["starting", "error"]
    assert first.to_running is None
    assert second.spans == []


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.00042, "0.4 ms"), (0.0123, "12 ms"), (0.5, "0.50 s"), (61.2, "61 s"), (0.00999, "10 ms")]
)
def test_durations_read_well(seconds: float, shown: str) -> None:
    assert lifecycle.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_what_held_is_folded_away_where_there_is_much_of_it() -> None:
    result = sample.conformant()
    groups = [a for tag, a in Page(html.render(result)).elements if a.get("class") == "group"]
    assert ["open" in a for a in groups] == [True]
    result["requirements"] = [{**row, "id": f"{row['id']}-{n}"} for row in result["requirements"] for n in range(20)]
    groups = [a for tag, a in Page(html.render(result)).elements if a.get("class") == "group"]
    assert ["open" in a for a in groups] == [False]


def test_a_finding_shows_its_request_both_answers_and_how_often_it_broke() -> None:
    text = html.render(sample.result())
    for part in (
        "POST /v1/api/pipelines/deploy",
        "after 2 earlier requests",
        "The answer before",
        "{&#34;id&#34;: 14}",
        "{&#34;id&#34;: 15}",
        "broke in 1 of 1",
        "held in 1 of 1",
    ):
        assert part in text


def test_broken_promises_stand_open_and_warnings_too_where_few_are_broken() -> None:
    context = html.context(sample.result())
    opened = [row["id"] for group in context["groups"] for row in group["rows"] if row["open"]]
    assert opened == [sample.SAME_ID.id, sample.ALLOW.id]


def test_what_was_left_out_and_the_command_of_the_run_are_said() -> None:
    groups = [{"reason": "Release 2026.1 has no a.b.", "items": 2, "requirements": ["a.b.c-d"]}]
    extra = {
        "left_out": groups,
        "command": "conformance run --target https://h --seed 7",
        "notes": ["Another release."],
    }
    text = html.render(sample.result(extra=extra))
    for part in ("Release 2026.1 has no a.b.", "<code>a.b.c-d</code>", extra["command"], "Another release."):
        assert part in text
    assert 'id="left-out"' not in html.render(sample.result())


def test_one_line_says_how_to_get_a_token_where_a_command_needs_one() -> None:
    assert "conformance token --target http://127.0.0.1:8080 --export" in html.render(sample.result())
    assert "conformance token" not in html.render(sample.conformant())


def test_a_drift_says_that_it_is_about_the_description_the_instance_serves() -> None:
    drift = {"verdict": "breaking", "changes": []}
    assert "Drift: compared with the description it serves" in html.render(sample.result(drift=drift))


def test_the_median_of_the_tile_is_the_one_that_is_drawn() -> None:
    refused = {"event": "infer", "deployment": f"{sample.HOSTILE}-14", "at": 0.7, "seconds": 9.0, "status": "503"}
    drawn = lifecycle.drawn([*sample.TIMELINE[:5], refused, *sample.TIMELINE[5:]])
    assert drawn is not None
    tile = next(tile for tile in drawn["tiles"] if tile["name"] == "Inference latency")
    assert drawn["latencies"]["median"]["label"] == f"median {tile['value']}"
