"""What is told about a waiting review when, and that none of it can do anything where it is shown."""

from datetime import timedelta

import pytest

from hitl_prefect.notices import Schedule, excerpt, quoted
from hitl_prefect.panel import Ask, Sitting
from hitl_prefect.policy import Policy
from hitl_prefect.telling import facts_of
from tests.unit.making import NOON, a_case, a_generation, a_route, a_score

SCHEDULE = Schedule(
    step="hitl-0-round-1-1",
    notices={
        "opened": NOON,
        "reminded-1": NOON + timedelta(hours=1),
        "reminded-2": NOON + timedelta(hours=2),
        "overdue": NOON + timedelta(hours=3),
    },
    told=("opened",),
)


def at(hours: int) -> list[str]:
    return SCHEDULE.due(NOON + timedelta(hours=hours))


def test_nothing_is_due_before_its_time():
    """What opened the round was told by the run itself."""
    assert (at(0), at(1)) == ([], ["reminded-1"])


def test_of_several_reminders_that_are_due_the_last_is_told():
    """Where the upkeep did not run for a while, nobody is told the same three times."""
    later = SCHEDULE.after("reminded-2")

    assert (at(4), later.told) == (["reminded-2", "overdue"], ("opened", "reminded-1", "reminded-2"))
    assert later.due(NOON + timedelta(hours=4)) == ["overdue"]


def test_an_opening_that_its_process_did_not_tell_is_due_at_once():
    """It was killed after the run began to wait."""
    untold = SCHEDULE.model_copy(update={"told": ()})

    assert untold.due(NOON) == ["opened"]


def test_a_schedule_comes_back_from_the_labels():
    """A run without them has none; one that began to wait under an older version has one label."""
    assert Schedule.of(SCHEDULE.labels()) == SCHEDULE
    assert Schedule.of({"hitl.schedule": SCHEDULE.model_dump_json()}) == SCHEDULE
    assert Schedule.of({"hitl.case": "c1"}) is None


def test_what_was_told_of_a_round_changes_nothing_of_the_next():
    """The upkeep marks a reminder while somebody answers, and the next round has put its own schedule there."""
    second = Schedule(step="hitl-0-round-1-2", wake_at=NOON, notices={"opened": NOON})
    late = SCHEDULE.after("reminded-2").told_labels()

    assert Schedule.of(second.labels() | late) == second
    assert Schedule.of(SCHEDULE.labels() | late) == SCHEDULE.after("reminded-2")


def test_somebody_elses_words_mention_nobody_and_load_nothing():
    """Neither a chat's mention nor a mail's markup survives; a fence holds what is left."""
    said = "<!channel> <img src=http://x> \u202e```"

    assert quoted(said) == "\u2039!channel\u203a \u2039img src=http://x\u203a \\u202e```"
    assert excerpt(said) == f"````text\n{quoted(said)}\n````"
    assert len(excerpt("x" * 9000)) < 500


@pytest.mark.parametrize(
    ("role", "tells"),
    [
        ("blind", {"reason": "blind"}),
        ("reviewer", {"reason": "rule", "confidence": 0.8, "draft": excerpt('{"total": 12.5}')}),
    ],
)
def test_a_message_holds_no_more_than_the_form_shows(role, tells):
    """Who answers without a draft is sent neither the draft nor how sure anybody was of it."""
    policy = Policy(message_holds=("draft",))
    sitting = Sitting(case=a_case(), generation=a_generation(), score=a_score(), policy=policy)
    facts = facts_of(sitting, Ask(role=role, people=("ada",)), a_route(reason="rule"), None)

    everybody = {"task": "invoices", "case": "c1", "step": "reviewer", "people": ("ada",)}
    assert facts.model_dump(exclude_none=True) == everybody | tells
