"""The page opened from disk in headless Chromium: quiet, closed to the network, usable by keyboard.

Where CI is set, a missing browser is a failure; elsewhere these tests are skipped without one.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from conformance.reporting import html
from tests.reporting import sample

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER) and "CI" not in os.environ, reason="chromium and chromium-driver are not installed"
)

Opened = Callable[..., webdriver.Chrome]


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    assert BROWSER, "CI must install chromium"
    assert DRIVER, "CI must install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: webdriver.Chrome, tmp_path: Path) -> Opened:
    """Opens the page of a result, at a width in pixels."""

    def show(result: dict[str, Any], width: int = 1280, fragment: str = "") -> webdriver.Chrome:
        path = tmp_path / "report.html"
        path.write_text(html.render(result), encoding="utf-8")
        browser.get("about:blank")
        for log in ("browser", "performance"):
            browser.get_log(log)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(path.as_uri() + fragment)
        return browser

    return show


def requests(browser: webdriver.Chrome) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def shown(browser: webdriver.Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('.requirement')].filter(r => r.offsetParent).map(r => r.id)"
    return list(browser.execute_script(script))


def press(browser: webdriver.Chrome, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def focused(browser: webdriver.Chrome) -> Any:
    return browser.switch_to.active_element


def test_it_opens_without_an_error_and_without_a_request_that_leaves_it(opened: Opened, tmp_path: Path) -> None:
    browser = opened(sample.result())
    press(browser, "/", "id")
    assert browser.get_log("browser") == []
    sent = [url for url in requests(browser) if not url.startswith("data:")]
    assert sent == [(tmp_path / "report.html").as_uri()]


def test_the_policy_holds_even_where_markup_slips_in(opened: Opened) -> None:
    browser = opened(sample.result())
    browser.execute_script(
        "document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.1:9/x.png onerror=x()>')"
    )
    time.sleep(0.2)
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


def test_a_pipeline_named_as_a_script_changes_nothing(opened: Opened) -> None:
    plain = json.loads(json.dumps(sample.result()).replace(sample.HOSTILE, "harmless"))
    counts = []
    for result in (plain, sample.result()):
        browser = opened(result)
        counts.append(browser.execute_script("return document.querySelectorAll('*').length"))
        assert browser.execute_script("return document.scripts.length") == 1
        assert browser.get_log("browser") == []
    assert counts[0] == counts[1]
    assert sample.HOSTILE in browser.find_element(By.CSS_SELECTOR, ".chart svg title").get_attribute("textContent")


def test_outcomes_filter_and_combine(opened: Opened) -> None:
    browser = opened(sample.result())
    assert len(shown(browser)) == 6
    chip = {name: browser.find_element(By.CSS_SELECTOR, f".chip[data-outcome={name}]") for name in ("broken", "held")}
    chip["broken"].click()
    assert shown(browser) == [sample.SAME_ID.id]
    chip["held"].click()
    assert set(shown(browser)) == {sample.SAME_ID.id, sample.INTEGER.id, sample.COPY.id}
    chip["broken"].click()
    assert set(shown(browser)) == {sample.INTEGER.id, sample.COPY.id}
    assert browser.find_element(By.ID, "shown").text == "2 of 6 shown"


def test_the_operation_filters(opened: Opened) -> None:
    browser = opened(sample.result())
    browser.find_element(By.CSS_SELECTOR, "#operation").send_keys("pipelines.create")
    assert set(shown(browser)) == {sample.INTEGER.id, sample.ALLOW.id}


def test_the_search_reads_wording_source_and_findings_and_escape_clears_it(opened: Opened) -> None:
    browser = opened(sample.result())
    for words, found in (
        ("15, not 14", sample.SAME_ID.id),
        ("rfc 9110", sample.ALLOW.id),
        ("visible another", sample.SECOND.id),
    ):
        press(browser, "/", words)
        assert shown(browser) == [found]
        press(browser, Keys.ESCAPE)
        assert len(shown(browser)) == 6
        browser.execute_script("document.activeElement.blur()")
    press(browser, "/", "no such thing")
    assert shown(browser) == []
    assert browser.find_element(By.ID, "nothing").is_displayed()


def test_everything_is_reached_by_keyboard(opened: Opened) -> None:
    browser = opened(sample.result())
    press(browser, Keys.TAB)
    assert focused(browser).get_attribute("class") == "skip"
    press(browser, Keys.ENTER)
    reached = set()
    for _ in range(60):
        press(browser, Keys.TAB)
        element = focused(browser)
        reached.add(element.get_attribute("id") or element.get_attribute("class") or element.tag_name)
    assert {"search", "operation", "expand", "collapse", "copy", "summary"} <= reached
    assert any(name.startswith("cell ") for name in reached)


def test_a_requirement_opens_and_closes_by_keyboard(opened: Opened) -> None:
    browser = opened(sample.result())
    row = browser.find_element(By.CSS_SELECTOR, "details[data-outcome=held]")
    browser.execute_script("arguments[0].querySelector('summary').focus()", row)
    press(browser, Keys.ENTER)
    assert row.get_attribute("open") is not None
    press(browser, Keys.SPACE)
    assert row.get_attribute("open") is None


def test_the_matrix_is_walked_with_arrows_and_leads_to_the_requirement(opened: Opened) -> None:
    browser = opened(sample.result())
    assert len(browser.find_elements(By.CSS_SELECTOR, ".matrix .cell[tabindex='0']")) == 1
    browser.execute_script("document.querySelector('.matrix .cell').focus()")
    first = focused(browser).get_attribute("title")
    press(browser, Keys.ARROW_RIGHT)
    assert focused(browser).get_attribute("title") != first
    press(browser, Keys.ARROW_LEFT)
    assert focused(browser).get_attribute("title") == first
    press(browser, Keys.ARROW_DOWN)
    target = str(focused(browser).get_attribute("title")).partition(":")[0]
    press(browser, Keys.ENTER)
    time.sleep(0.2)
    assert browser.find_element(By.ID, target).get_attribute("open") is not None


def test_a_link_to_a_requirement_opens_it(opened: Opened) -> None:
    browser = opened(sample.result(), fragment=f"#{sample.COPY.id}")
    assert browser.find_element(By.ID, sample.COPY.id).get_attribute("open") is not None


def test_a_command_is_chosen_and_copied_by_keyboard(opened: Opened) -> None:
    browser = opened(sample.result())
    browser.execute_script("document.querySelector('[role=tab]').focus()")
    press(browser, Keys.ARROW_RIGHT)
    panel = browser.find_element(By.CSS_SELECTOR, ".panel:not([hidden]) pre")
    assert next(line for line in panel.text.splitlines() if not line.startswith("#")) == "import os"
    browser.execute_script("document.querySelector('.copy').focus()")
    press(browser, Keys.ENTER)
    time.sleep(0.3)
    assert browser.find_element(By.ID, "said").get_attribute("textContent") in (
        "Copied",
        "Selected: press Ctrl+C to copy",
    )


@pytest.mark.parametrize("width", [1280, 400])
def test_no_width_scrolls_sideways(width: int, opened: Opened) -> None:
    browser = opened(sample.result(), width)
    browser.execute_script("document.querySelector('#expand').click()")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_in_dark(scheme: str, opened: Opened, browser: webdriver.Chrome) -> None:
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    opened(sample.result())
    faint = browser.execute_script(Path(__file__).with_name("contrast.js").read_text(encoding="utf-8"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert faint == []


def test_a_thousand_findings_are_shown_and_searched(opened: Opened) -> None:
    browser = opened(sample.many_findings(1_000))
    press(browser, "/", "promise-42")
    assert shown(browser) == ["pipelines.deploy.promise-42"]
    assert browser.find_element(By.ID, "shown").text == "1 of 106 shown"
