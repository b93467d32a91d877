"""Markdown that shows a target's text letter by letter, and finds its way to a CI job's summary."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

from conformance.reporting import markdown
from tests.reporting import sample


def test_the_report_tells_verdict_counts_and_what_is_broken() -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.render(sample.result()))
    assert "Not conformant" in html
    row = html.split("<tbody>")[1].split("</tbody>")[0]
    assert [cell.split("</td>")[0] for cell in row.split('">')[1:]] == ["1", "1", "1", "2", "1"]
    assert f"<h4><code>{sample.SAME_ID.id}</code></h4>" in html
    assert "<script>alert" not in html


def test_the_summary_page_of_a_ci_job_is_appended_to(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    assert markdown.append_step_summary(sample.result(), {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.read_text().startswith("before\n## ❌ Not conformant")


def test_without_a_ci_job_nothing_is_appended() -> None:
    assert not markdown.append_step_summary(sample.result(), {})


def test_a_summary_page_that_cannot_be_written_spoils_no_verdict(tmp_path: Path) -> None:
    assert not markdown.append_step_summary(sample.result(), {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "page.md")})


def test_a_report_too_long_for_the_page_is_replaced_by_its_head(tmp_path: Path) -> None:
    result = sample.result()
    broken = next(row for row in result["requirements"] if row["outcome"] == "broken")
    broken["findings"][0]["curl"] = "x" * 1_100_000
    page = tmp_path / "summary.md"
    assert markdown.append_step_summary(result, {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.stat().st_size < 2_000
    assert "among the run's files" in page.read_text()


def test_the_page_is_limited_in_bytes_and_not_in_characters(tmp_path: Path) -> None:
    result = sample.result()
    broken = next(row for row in result["requirements"] if row["outcome"] == "broken")
    broken["findings"][0]["curl"] = "\N{SNOWMAN}" * 400_000
    page = tmp_path / "summary.md"
    assert markdown.append_step_summary(result, {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.stat().st_size < 2_000


def test_it_says_which_request_showed_it_and_how_often_it_broke() -> None:
    text = markdown.render(sample.result())
    assert "POST /v1/api/pipelines/deploy: answered 200; after 2 earlier requests; broke in 1 of 1" in text


def test_notes_and_the_command_that_repeats_the_run_stand_at_the_top() -> None:
    text = markdown.render(sample.result(extra={"notes": ["Another release."], "command": "conformance run --seed 7"}))
    assert text.index("**Another release.**") < text.index("| broken |")
    assert "Run it again: `conformance run --seed 7`" in text
