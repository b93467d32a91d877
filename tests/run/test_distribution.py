from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from conformance import suites
from conformance.run import shards
from conformance.run.shards import shares_deployments

FOLDER = Path(suites.__file__).resolve().parent


@pytest.mark.parametrize(
    ("nodeid", "shares"),
    [
        ("test_lifecycle.py::test_the_tutorials_row_is_computed", True),
        ("test_lifecycle.py::test_rows_are_computed_in_order[51]", True),
        ("test_refusals.py::test_a_refused_undeploy_ends_nothing", True),
        ("test_lifecycle.py::test_names_at_their_limits[63]", False),
        ("test_generated.py::test_long_lifecycles", False),
        ("test_lifecycle.py::test_of_no_such_name", False),
    ],
)
def test_what_uses_the_deployments_stays_together(nodeid: str, shares: bool) -> None:
    assert shares_deployments(nodeid, FOLDER, live=False) is shares
    assert shares_deployments(f"conformance/suites/{nodeid}", FOLDER.parent.parent, live=False) is shares


def test_on_a_live_target_all_that_deploys_stays_together() -> None:
    stage = "test_generated.py::test_valid_requests_are_served[pipelines.create]"
    assert shares_deployments(stage, FOLDER, live=True)
    assert not shares_deployments(stage, FOLDER, live=False)
    assert not shares_deployments("test_lifecycle.py::test_names_at_their_limits[63]", FOLDER, live=True)


def test_items_of_others_are_left_to_xdist(tmp_path: Path) -> None:
    (tmp_path / "test_lifecycle.py").write_text("", encoding="utf-8")
    assert not shares_deployments("test_lifecycle.py::test_the_tutorials_row_is_computed", tmp_path, live=False)


def test_every_fixture_that_leads_to_the_deployments_is_known() -> None:
    modules = [import_module(f"conformance.suites.{file.stem}") for file in FOLDER.glob("*t*.py")]
    fixtures = {
        name: set(inspect.signature(found._get_wrapped_function()).parameters)
        for module in modules
        for name, found in vars(module).items()
        if type(found).__name__ == "FixtureFunctionDefinition"
    }
    leading = {"deployments"}
    for _ in fixtures:
        leading |= {name for name, asked in fixtures.items() if asked & leading}
    assert leading == shards._SHARED
