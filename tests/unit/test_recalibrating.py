"""From what people decided to the bars in force, calibration after calibration."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from hitl_prefect.calibrations import Calibration
from hitl_prefect.evidence import Evidence, Key
from hitl_prefect.models import Promise
from hitl_prefect.recalibrating import next_version
from tests.unit.making import NOON

PROMISE = Promise(max_error=0.05, confidence_level=0.9)
KEY = Key("invoices", "gpt-5-mini", "-", "min(stated)")


def cases(count, *, day=0, wrong_below=0.5, **changes):
    """Cases of one day: those below a confidence are wrong."""
    for number in range(count):
        confidence = int(sha256(f"{day}-{number}".encode()).hexdigest()[:4], 16) / 16**4
        row = Evidence(
            key=KEY,
            case_id=f"d{day}-{number}",
            confidence=confidence,
            right=confidence >= wrong_below,
            action="review",
            reason="cold_start",
            propensity=1.0,
            bar=None,
            policy_version="cold",
            how="prefilled",
            decided_at=NOON + timedelta(days=day, seconds=number),
            cost_usd=None,
            promise=PROMISE,
        )
        yield replace(row, **changes)


def audited(count, *, day, wrong):
    """Audits of a day, and how many of them, the last ones, were wrong."""
    for number, row in enumerate(cases(count, day=day, reason="audit", propensity=0.05, policy_version="v1")):
        yield replace(row, confidence=0.99, right=number < count - wrong, bar=0.6, how="audit")


def after(evidence, previous=None, *, day=1, promise=None):
    return next_version(evidence, "invoices", previous, promise=promise, at=NOON + timedelta(days=day))


def test_too_few_labels_say_how_many_are_missing():
    """A look at a hundred labels is the first that is worth its part of what may go wrong."""
    version = after(cases(40))

    assert version.calibrations == (
        Calibration(
            **KEY._asdict(),
            promise=PROMISE,
            status="cold",
            labels=0,
            needed=60,
            look=0,
            made_at=NOON + timedelta(days=1),
        ),
    )


def test_enough_labels_find_a_bar_that_is_kept_until_there_are_twice_as_many():
    """The same evidence, or a few cases more, make no new version."""
    rows = list(cases(300))
    first = after(rows)
    (found,) = first.calibrations

    assert (found.status, found.labels, found.look, found.ready_at) == ("ready", 300, 1, found.made_at)
    assert 0.45 <= found.bar <= 0.6
    assert after([*rows, *cases(50, day=2)], first, day=3) is None
    again = after([*rows, *cases(300, day=2)], first, day=3)
    assert (again.number, again.previous) == (2, 1)
    assert (again.calibrations[0].labels, again.calibrations[0].look) == (600, 2)


def test_a_later_look_that_finds_nothing_leaves_what_was_found_in_force():
    """All looks together may go wrong as often as the promise says, so that each may be trusted."""
    first = after(cases(300))
    shared = [replace(row, right=row.case_id.endswith("7")) for row in cases(700, day=2)]

    again = after([*cases(300), *shared], first, day=3)

    assert (again.calibrations[0].bar, again.calibrations[0].look) == (first.calibrations[0].bar, 2)


def test_audits_that_are_wrong_too_often_take_the_bar_away():
    """From then on a hundred new labels are needed; what was decided before counts no more."""
    rows = list(cases(300))
    first = after(rows)
    rows += audited(40, day=2, wrong=12)
    drifted = after(rows, first, day=3)
    (found,) = drifted.calibrations

    assert (found.status, found.bar, found.needed, found.since) == ("drift", None, 100, NOON + timedelta(days=3))
    assert found.alarm.endswith("audited cases wrong, more than 0.05 allows")
    (waits,) = after([*rows, *cases(40, day=4)], drifted, day=5).calibrations
    assert (waits.status, waits.needed, waits.alarm) == ("drift", 60, found.alarm)
    (ready,) = after([*rows, *cases(400, day=4, wrong_below=0.8)], drifted, day=5).calibrations
    assert (ready.status, ready.labels, ready.look, ready.alarm) == ("ready", 400, 1, "")
    assert ready.bar > 0.7


def test_audits_that_are_right_leave_the_bar():
    first = after(cases(300))

    assert after([*cases(300), *audited(60, day=2, wrong=1)], first, day=3) is None


def accepted(rows):
    """The same as cases that nobody looked at."""
    alone = {"right": None, "action": "accept", "reason": "above_bar", "propensity": 0.05, "how": "accepted"}
    return [replace(row, **alone) for row in rows]


def test_other_scores_than_before_take_the_bar_away():
    """Long before audits could show whether they are wrong."""
    first = after(cases(300))
    sure = accepted(replace(row, confidence=0.999) for row in cases(100, day=2, policy_version="v1"))

    (found,) = after([*cases(300), *sure], first, day=3).calibrations

    assert (found.status, found.bar) == ("drift", None)
    assert found.alarm.startswith("other scores than before, as ")


def test_after_an_alarm_new_cases_are_held_against_those_that_came_since():
    """The bar that is found anew is not taken away again because cases once came with other scores."""
    rows = list(cases(300))
    first = after(rows)
    rows += accepted(replace(row, confidence=0.75) for row in cases(100, day=2, policy_version="v1"))
    drifted = after(rows, first, day=3)
    rows += [replace(row, confidence=0.75, right=True, reason="drift") for row in cases(120, day=4)]
    again = after(rows, drifted, day=5)
    rows += accepted(replace(row, confidence=0.75, bar=0.75) for row in cases(100, day=6, policy_version="v3"))

    assert [one.calibrations[0].status for one in (first, drifted, again)] == ["ready", "drift", "ready"]
    assert after(rows, again, day=7) is None


def test_cases_that_a_rule_sends_to_a_person_are_no_part_of_what_came_before():
    """Of the cases before a third was under a rule, and just above the bar; what is accepted is not."""
    unsure = [replace(row, confidence=0.6, reason="rule") for row in cases(150, day=1)]
    rows = [*cases(300), *unsure]
    first = after(rows, day=2)
    later = accepted(row for row in cases(300, day=3, policy_version="v1") if row.confidence >= 0.6)

    assert after([*rows, *later], first, day=4) is None


def test_a_batch_that_keeps_a_stricter_bar_is_no_change():
    """It accepts the surest cases alone."""
    rows = list(cases(300))
    first = after(rows)
    sure = accepted(row for row in cases(300, day=2, policy_version="v0", bar=0.9) if row.confidence >= 0.9)

    assert after([*rows, *sure], first, day=3) is None


def test_a_file_that_is_sorted_is_no_change():
    """The surest come first, and all on one day."""
    first = after(cases(300))
    falling = sorted(cases(300, day=2, policy_version="v1"), key=lambda row: -row.confidence)
    one_by_one = [
        replace(row, decided_at=NOON + timedelta(days=2, seconds=place)) for place, row in enumerate(accepted(falling))
    ]

    assert after([*cases(300), *one_by_one], first, day=3) is None


@pytest.mark.parametrize("changes", [{"promise": None}, {"key": KEY._replace(task="mail")}])
def test_where_nobody_promised_anything_there_is_no_version(changes):
    assert after(cases(300, **changes)) is None


def test_each_promise_has_a_bar_of_its_own_and_one_can_be_named():
    """Whoever asks for less may accept more."""
    lax = Promise(max_error=0.2, confidence_level=0.9)
    both = after([*cases(150), *cases(150, day=1, promise=lax)], day=2)
    named = after(cases(300, promise=None), promise=lax)

    strict_bar, lax_bar = (one.bar for one in both.calibrations)
    assert [one.promise for one in both.calibrations] == [PROMISE, lax]
    assert lax_bar < strict_bar
    assert [one.promise for one in named.calibrations] == [lax]
    assert both.of(KEY, PROMISE).bar == strict_bar
    assert both.of(KEY, lax).bar == lax_bar


def test_another_model_is_another_calibration():
    other = KEY._replace(model="gpt-6")
    version = after([*cases(300), *cases(10, day=1, key=other)], day=2)

    assert [(one.model, one.status) for one in version.calibrations] == [("gpt-5-mini", "ready"), ("gpt-6", "cold")]
