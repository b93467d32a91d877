"""How long the HTML report of many findings takes to open and to search: `python -m tests.benchmarks.page [FINDINGS]`.

Needs chromium and chromium-driver. Prints the size of the page, seconds until it has loaded, and seconds until a search
typed into it shows its one hit.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from conformance.reporting import html
from tests.reporting import sample


def main(findings: int) -> None:
    """Measure once and print."""
    began = time.perf_counter()
    text = html.render(sample.many_findings(findings))
    rendered = time.perf_counter() - began
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or ""))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        browser.get("about:blank")
        began = time.perf_counter()
        browser.get(path.as_uri())
        loaded = time.perf_counter() - began
        ActionChains(browser).send_keys("/", "promise-42").perform()
        searched = time.perf_counter() - began - loaded
    browser.quit()
    size = len(text.encode()) / 1e6
    print(f"{findings} findings, {size:.1f} MB")
    print(f"made in {rendered:.2f} s, open in {loaded:.2f} s, searched in {searched:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
