"""Alarms: rarely without reason, whenever one looks; soon with one."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import evidence_of
from hitl_prefect.monitoring import audits_of, monitor_error, monitor_scores
from tests.unit.making import an_outcome


def coins(rate, number, seed):
    lot = random.Random(seed)
    return [lot.random() < rate for _ in range(number)]


def scores(power, number, seed):
    """In [0, 1]; the smaller the power, the surer."""
    lot = random.Random(f"{power}:{seed}")
    return [lot.random() ** power for _ in range(number)]


def test_an_error_rate_at_the_promise_raises_no_alarm_more_often_than_delta():
    """Looked at after each of 500 audits."""
    alarms = [monitor_error(coins(0.1, 500, seed), max_error=0.1, delta=0.1) for seed in range(200)]

    assert sum(alarm is not None for alarm in alarms) <= 0.1 * 200


def test_a_rise_is_found_soon_even_after_a_long_good_time():
    """500 audits at 2%, then 20%, against a promise of 5%; half of the alarms within 40 audits of the rise."""
    alarms = [monitor_error(coins(0.02, 500, seed) + coins(0.2, 500, -seed), max_error=0.05) for seed in range(1, 41)]
    places = sorted(alarm.at for alarm in alarms if alarm is not None)

    assert len(places) == 40
    assert places[0] > 500
    assert places[20] < 600


def test_an_alarm_tells_when_and_how_sure():
    """At the first moment: what comes before it raises none."""
    alarm = monitor_error([True] * 10, max_error=0.1, delta=0.01)

    assert alarm is not None
    assert (alarm.kind, alarm.at, alarm.evidence >= 100) == ("error", 4, True)
    assert monitor_error([True] * 4, max_error=0.1, delta=0.01) is None


def test_scores_that_come_as_before_raise_no_alarm_more_often_than_delta():
    alarms = [
        monitor_scores(scores(0.2, 300, seed), reference=scores(0.2, 100, -seed), delta=0.1) for seed in range(1, 151)
    ]

    assert sum(alarm is not None for alarm in alarms) <= 0.1 * 150


@pytest.mark.parametrize("power", [0.05, 1.0], ids=["surer", "less sure"])
def test_scores_that_change_raise_an_alarm(power):
    """Within 200 cases, whichever way."""
    alarms = [monitor_scores(scores(power, 200, seed), reference=scores(0.2, 500, -seed)) for seed in range(1, 11)]

    assert all(alarm is not None and alarm.kind == "scores" for alarm in alarms)


def test_scores_that_gather_in_the_middle_raise_an_alarm():
    """Their mean is what it was."""
    reference = [place / 500 for place in range(500)]

    assert monitor_scores([0.4 + one / 5 for one in scores(1.0, 300, 1)], reference=reference) is not None


def test_scores_that_are_all_the_same_raise_none():
    """Ties are broken by lot."""
    assert monitor_scores([0.9] * 2000, reference=[0.9] * 100) is None


def test_the_same_scores_raise_the_same_alarm():
    found = [monitor_scores(scores(1.0, 100, 1), reference=scores(0.2, 100, 2)) for _ in range(2)]

    assert found[0] == found[1]


def test_audits_are_taken_in_the_order_of_their_decisions():
    """Without those that nobody has decided yet."""
    case = evidence_of(an_outcome())
    audit = replace(case, reason="audit", right=True, decided_at=case.decided_at + timedelta(days=1))
    sooner = replace(audit, right=False, decided_at=case.decided_at)

    assert audits_of([audit, case, replace(audit, right=None), sooner]) == [sooner, audit]


@pytest.mark.parametrize("numbers", [{"max_error": 0}, {"max_error": 0.1, "delta": 1}])
def test_a_number_out_of_range_is_refused(numbers):
    with pytest.raises(ConfigError, match="is out of range: give a number between 0 and 1"):
        monitor_error([], **numbers)
