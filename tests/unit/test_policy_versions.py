"""The versions of what is in force for a task, in a store."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hitl_prefect.calibrations import Calibrated, Calibration
from hitl_prefect.errors import OutcomeConflict, StoreDenied
from hitl_prefect.models import Promise
from hitl_prefect.policy_versions import calibrated_tasks, newest, policy_key, put_next, read_versions
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import NOON

FOUND = Calibration(
    task="invoices",
    model="gpt-5-mini",
    prompt="-",
    scorer="min(stated)",
    promise=Promise(max_error=0.05, confidence_level=0.9),
    status="ready",
    bar=0.9,
    labels=300,
    look=1,
    made_at=NOON,
)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def the_next(previous):
    return Calibrated.after(previous, "invoices", (FOUND,), NOON)


def test_the_newest_version_follows_all_others_and_names_the_one_before(store):
    """Versions of another task are not among them."""
    assert newest(store, "invoices") is None
    first, second = (put_next(store, "invoices", the_next) for _ in range(2))
    put_next(store, "mail", lambda previous: Calibrated.after(previous, "mail", (), NOON))

    assert (first.number, first.previous, second.number, second.previous) == (1, None, 2, 1)
    assert newest(store, "invoices") == second
    assert read_versions(store, "invoices") == [first, second]
    assert calibrated_tasks(store) == ["invoices", "mail"]


def test_what_has_not_changed_is_no_new_version(store):
    put_next(store, "invoices", the_next)

    assert put_next(store, "invoices", lambda previous: None if previous else the_next(previous)) is None
    assert store.keys() == [policy_key("invoices", 1)]


def test_two_who_write_at_the_same_moment_write_one_after_the_other(store):
    """Whoever loses sees the winner's, and follows it; nothing is overwritten."""
    both_read = Barrier(2)
    waited = set()

    def write(name):
        def make(previous):
            if name not in waited:
                waited.add(name)
                both_read.wait(10)
            alarm = FOUND.model_copy(update={"labels": name, "look": previous.number if previous else 0})
            return Calibrated.after(previous, "invoices", (alarm,), NOON)

        return put_next(store, "invoices", make)

    with ThreadPoolExecutor(2) as pool:
        written = sorted(pool.map(write, (1, 2)), key=lambda one: one.number)

    assert read_versions(store, "invoices") == written
    assert [(one.number, one.previous, one.calibrations[0].look) for one in written] == [(1, None, 0), (2, 1, 1)]


def test_who_is_overtaken_five_times_writes_nothing_and_says_so(store):
    """It does not follow a version that it has not seen, and does not try for ever."""
    others = []

    def overtaken(previous):
        others.append(put_next(store, "invoices", the_next))
        return Calibrated.after(previous, "invoices", (), NOON)

    with pytest.raises(OutcomeConflict, match=r"000005\.json"):
        put_next(store, "invoices", overtaken)
    assert read_versions(store, "invoices") == others
    assert [one.number for one in others] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("body", [b"{}", Calibrated.after(None, "mail", (), NOON).model_dump_json().encode()])
def test_a_version_that_somebody_changed_is_never_in_force(store, body):
    """It is an error, and no cold start: who calibrates anew would hide it."""
    store.put_once(policy_key("invoices", 1), body)

    with pytest.raises(StoreDenied, match=r"000001\.json"):
        newest(store, "invoices")


def test_a_bar_and_its_status_belong_together():
    for changes in ({"status": "drift"}, {"bar": None}):
        with pytest.raises(ValueError, match="does not fit the bar"):
            Calibration.model_validate({**dict(FOUND), **changes})
