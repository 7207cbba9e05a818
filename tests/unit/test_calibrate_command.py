"""`hitl calibrate` on a folder of outcomes, without any Prefect server."""

import json

import pytest

from hitl_prefect.calibrating import calibrate
from hitl_prefect.cli import main
from hitl_prefect.models import Promise
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.policy_versions import newest
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import a_case, a_review, a_route, a_score, an_outcome

PROMISE = Promise(max_error=0.05, confidence_level=0.9)
COLD = a_route(action="review", reason="cold_start", propensity=1, promise=PROMISE)


@pytest.fixture
def store(tmp_path):
    """120 reviewed cases, all of them right; every sixth with a confidence of 0.3."""
    made = FolderStore(tmp_path)
    for number in range(120):
        outcome = an_outcome(
            case=CaseRecord.of(a_case(id=f"c{number}")),
            score=a_score(0.9 if number % 6 else 0.3),
            route=COLD,
            decision="approve",
            decided_by="human",
            review=a_review(),
        )
        made.put_once(outcome_key(outcome), outcome.stored)
    return made


def hitl(capsys, *arguments):
    """Exit code, and what was printed."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    printed = capsys.readouterr()
    return end.value.code, printed.out + printed.err


def test_a_dry_run_says_what_would_be_in_force_and_writes_nothing(store, capsys):
    code, printed = hitl(capsys, "calibrate", store.url, "--dry-run")

    assert (code, printed) == (
        0,
        "invoices: version 1, would be new\n\n"
        "TASK      MODEL       PROMPT  SCORER       PROMISE      STATUS  BAR  ACCEPTS  LABELS  NEEDS  ALARM\n"
        "invoices  gpt-5-mini  -       min(stated)  0.05 at 0.9  ready   0.3  100%     120     -      -\n",
    )
    assert newest(store, "invoices") is None


def test_a_version_is_written_once_for_what_was_found(store, capsys):
    """A second time nothing is new."""
    first, second = (hitl(capsys, "calibrate", store.url)[1].partition("\n")[0] for _ in range(2))

    assert (first, second) == ("invoices: version 1, new", "invoices: version 1, as before")
    assert newest(store, "invoices").calibrations[0].bar == 0.3


def test_json_holds_the_version_whole(store, capsys):
    code, printed = hitl(capsys, "calibrate", store.url, "--task", "invoices", "--json")
    (told,) = json.loads(printed)["tasks"]

    assert (code, told["is_new"], told["replaces"]) == (0, True, None)
    assert told["calibrated"] == newest(store, "invoices").model_dump(mode="json")


def test_another_promise_can_be_named(store, capsys):
    """It is found beside the one that the policies made."""
    hitl(capsys, "calibrate", store.url)
    hitl(capsys, "calibrate", store.url, "--max-error", "0.1", "--confidence-level", "0.8")

    found = newest(store, "invoices").calibrations
    assert [(one.promise.max_error, one.promise.confidence_level) for one in found] == [(0.05, 0.9), (0.1, 0.8)]


def test_a_store_of_which_nobody_promised_anything_says_what_to_do(tmp_path, capsys):
    code, printed = hitl(capsys, "calibrate", f"folder:{tmp_path}")

    assert (code, "Policy(max_error=...)" in printed) == (0, True)


def test_a_promise_out_of_range_is_refused(store, capsys):
    assert hitl(capsys, "calibrate", store.url, "--max-error", "5") == (
        1,
        "hitl: --max-error 5 and --confidence-level 0.9: give two numbers between 0 and 1\n",
    )


def test_an_object_that_cannot_be_read_is_named_and_the_rest_counts(store):
    store.put_once("outcomes/v1/task=invoices/dt=2026-01-02/bad.json", b"{")

    found = calibrate(store.url, dry_run=True)

    assert found.tasks[0].calibrated.calibrations[0].labels == 120
    assert [one.key for one in found.unreadable] == ["outcomes/v1/task=invoices/dt=2026-01-02/bad.json"]
