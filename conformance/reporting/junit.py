"""The result as JUnit XML: one test case per requirement, its id, wording and source as properties."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from conformance.reporting.reproduction import leads

_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters XML 1.0 cannot hold, not even escaped."""


def render(result: Mapping[str, Any]) -> str:
    """A `testsuites` document with a suite per operation.

    What gates and is broken is a failure; a warning, a waived and an untested requirement are skipped with the reason,
    so that a CI server's count of failures is the count of what gates. Where nothing that gates is broken and the run
    fails all the same (no verdict, a stale or expired waiver), a case of its own says so.
    """
    suites: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for requirement in result["requirements"]:
        suites[requirement.get("operation") or requirement["id"].rpartition(".")[0]].append(requirement)
    root = ET.Element("testsuites", name="conformance")
    if result["verdict"] != "conformant" and not result["counts"]["broken"]:
        root.append(_run_suite(result))
    for operation, requirements in suites.items():
        root.append(_suite(operation, requirements, result))
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    root.set("time", str(result.get("seconds", 0)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(name: str, requirements: list[Mapping[str, Any]], result: Mapping[str, Any]) -> ET.Element:
    cases = [_case(name, requirement) for requirement in requirements]
    return _counted(name, cases, result)


def _counted(name: str, cases: list[ET.Element], result: Mapping[str, Any]) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(name), tests=str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(1 for case in cases if case.find(tag) is not None)))
    suite.set("time", "0")
    if result.get("started"):
        suite.set("timestamp", _text(str(result["started"])[:19]))
    target = result["target"]
    about = {"target": f"{target['kind']} {target['url']}", "profile": result["profile"], "scope": result["scope"]}
    suite.append(_properties(about))
    suite.extend(cases)
    return suite


def _run_suite(result: Mapping[str, Any]) -> ET.Element:
    case = ET.Element("testcase", classname="conformance", name="verdict", time="0")
    tag = "error" if result["verdict"] == "none" else "failure"
    ET.SubElement(case, tag, message=_text(result["reason"]), type=result["verdict"]).text = _text(result["reason"])
    return _counted("conformance", [case], result)


def _case(operation: str, requirement: Mapping[str, Any]) -> ET.Element:
    case = ET.Element("testcase", classname=_text(operation), name=_text(requirement["id"]), time="0")
    names = ("id", "text", "source", "level", "basis", "outcome", "evidence")
    case.append(_properties({name: requirement[name] for name in names}))
    outcome, reason = requirement["outcome"], requirement.get("reason", "")
    if outcome == "broken" and requirement["gates"]:
        first = requirement["findings"][0] if requirement["findings"] else {"expected": "", "actual": ""}
        message = f"expected {first['expected']}, actual {first['actual']}"
        kind = f"{requirement['level']}-{requirement['basis']}"
        ET.SubElement(case, "failure", message=_text(message), type=kind).text = _text(_findings(requirement))
    elif outcome == "broken":
        ET.SubElement(case, "skipped", message=_text(f"warning: broken, does not gate. {reason}".strip()))
        ET.SubElement(case, "system-out").text = _text(_findings(requirement))
    elif outcome in ("waived", "untested"):
        ET.SubElement(case, "skipped", message=_text(f"{outcome}: {reason or 'never exercised'}"))
    return case


def _properties(values: Mapping[str, Any]) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=_text(str(value)))
    return properties


def _findings(requirement: Mapping[str, Any]) -> str:
    lines = [requirement["text"], f"({requirement['source']})"]
    for finding in requirement["findings"]:
        lines += ["", f"Expected: {finding['expected']}", f"Actual:   {finding['actual']}"]
        lines += [shown] if (shown := leads(finding, requirement)) else []
        lines += [finding["curl"]]
    return "\n".join(lines)


def _text(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
