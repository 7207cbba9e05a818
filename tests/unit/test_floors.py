"""The floors whose branches are counted are those of the import contracts."""

from pathlib import Path

from tests.floors import ROOT, branches, modules, patterns


def test_the_floors_hold_ground_adapters_and_configuration_and_no_prefect_step():
    held = set(modules())

    assert {"hitl_prefect.errors", "hitl_prefect.stores", "hitl_prefect.blocks", "hitl_prefect.configured"} <= held
    assert held.isdisjoint({"hitl_prefect.reviewing", "hitl_prefect.cli", "hitl_prefect.journal"})


def test_every_module_of_the_floors_is_a_file_or_a_folder():
    """A name that no longer stands for anything would leave its branches uncounted."""
    assert [pattern for pattern in patterns() if not list(Path(ROOT).glob(pattern))] == []


def test_the_share_counts_branches_and_not_lines():
    assert branches({"totals": {"covered_branches": 3, "num_branches": 4, "covered_lines": 0}}) == 0.75
