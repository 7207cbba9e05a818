"""From what people decided to the bars in force: what is found anew, what stays, and what is taken away."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple

from hitl_prefect.calibration import find_bar, is_due, labels_of
from hitl_prefect.calibrations import Calibrated, Calibration
from hitl_prefect.canonical import sha256_of
from hitl_prefect.evidence import Evidence, Key
from hitl_prefect.labels import acceptable
from hitl_prefect.models import Promise
from hitl_prefect.monitoring import audits_of, monitor_error, monitor_scores
from hitl_prefect.shares import counted

__all__ = ["next_version"]


class _About(NamedTuple):
    """What one calibration is about."""

    key: Key
    promise: Promise


def next_version(
    evidence: Iterable[Evidence], task: str, previous: Calibrated | None, *, promise: Promise | None, at: datetime
) -> Calibrated | None:
    """The version that follows from all evidence; `None` where it says the same as the one in force.

    A bar is looked for when a look is due (`hitl_prefect.calibration.is_due`), in the labels of one task, model,
    prompt and scorer, and for each promise that a policy made of them. What was found stays in force in between, and
    where a later look, which has less to spend, finds none. Where audits show that too much of what it accepts is
    wrong, or other scores come than those that it was found from, the bar is taken away: a person sees every case, and
    only what is decided from then on counts.

    Args:
        evidence: Of the store; that of other tasks is passed over.
        task: What kind of cases.
        previous: The version in force.
        promise: What is to be promised; `None`: what the policies promised that the cases were routed by.
        at: When this is.
    """
    rows: dict[Key, list[Evidence]] = defaultdict(list)
    for one in evidence:
        if one.key.task == task:
            rows[one.key].append(one)
    before = {_About(one.key, one.promise): one for one in previous.calibrations} if previous else {}
    wanted = sorted({*before, *_promised(rows, promise)}, key=lambda one: (one.key, *dict(one.promise).values()))
    found = tuple(_calibration(about, rows[about.key], before.get(about), at) for about in wanted)
    if not found or (previous and found == previous.calibrations):
        return None
    return Calibrated.after(previous, task, found, at)


def _promised(rows: dict[Key, list[Evidence]], promise: Promise | None) -> Iterable[_About]:
    for key, known in rows.items():
        for one in {promise} if promise else {row.promise for row in known}:
            if one is not None:
                yield _About(key, one)


def _calibration(about: _About, rows: Sequence[Evidence], before: Calibration | None, at: datetime) -> Calibration:
    """What stands from now on: the one before, where nothing but the time would be different."""
    found = _watched(before, rows, at) if before and before.status == "ready" else None
    if found is None or found.status == "ready":
        found = _looked(about, rows, found or before, at)
    return before if before is not None and found.says_the_same(before) else found


def _watched(before: Calibration, rows: Sequence[Evidence], at: datetime) -> Calibration:
    """What was decided since the bar is in force; an alarm takes the bar away."""
    watched = [one for one in acceptable(rows) if _is_watched(one, before)]
    known, later = _parted(watched, before.ready_at or at)
    alarm = _errors(before, later) or _other_scores(before, known, later)
    if not alarm:
        return before
    waits = {"status": "drift", "labels": 0, "needed": _due_in(0, last=0), "look": 0, "since": at}
    return Calibration.model_validate({**_named(before), **waits, "alarm": alarm, "made_at": at})


def _is_watched(one: Evidence, before: Calibration) -> bool:
    """Whether a case is one of those that the bar was found from, or of those that it lets pass."""
    is_since = before.since is None or one.decided_at > before.since
    return is_since and one.confidence is not None and one.confidence >= (before.bar or 0)


def _errors(before: Calibration, later: Iterable[Evidence]) -> str:
    """Whether audits show that more of what is accepted is wrong than was promised."""
    audited = audits_of(later)
    max_error = before.promise.max_error
    alarm = monitor_error((not one.right for one in audited), max_error=max_error)
    if alarm is None:
        return ""
    wrong = sum(not one.right for one in audited[: alarm.at + 1])
    return f"{wrong} of {counted(alarm.at + 1, 'audited case')} wrong, more than {max_error:g} allows"


def _parted(rows: Iterable[Evidence], moment: datetime) -> tuple[list[Evidence], list[Evidence]]:
    """What was decided until a moment, and after it."""
    parts: tuple[list[Evidence], list[Evidence]] = ([], [])
    for one in rows:
        parts[one.decided_at > moment].append(one)
    return parts


def _other_scores(before: Calibration, known: Iterable[Evidence], later: Iterable[Evidence]) -> str:
    """Whether accepted cases come with other scores than those that the bar was found from."""
    # Reviewed cases are decided when somebody finds the time: only accepted ones come in the order of their drafts.
    accepted = sorted((one for one in later if one.action == "accept"), key=_in_turn)
    found = monitor_scores(_scores(accepted, before.bar), reference=_scores(known, before.bar))
    return "" if found is None else f"other scores than before, as {counted(found.at + 1, 'accepted case')} show"


def _in_turn(one: Evidence) -> tuple[str, str]:
    """Day by day, and within a day by lot: a file that is sorted is no change."""
    return f"{one.decided_at.astimezone(UTC):%Y-%m-%d}", sha256_of(one.case_id)


def _scores(rows: Iterable[Evidence], bar: float | None) -> list[float]:
    """Under no stricter bar, such as one that a batch keeps: that lets the surest of these cases pass alone."""
    whole = (one for one in rows if one.bar is None or one.bar <= (bar or 0))
    return [one.confidence for one in whole if one.confidence is not None]


def _looked(about: _About, rows: Sequence[Evidence], before: Calibration | None, at: datetime) -> Calibration:
    """What a look finds where one is due; else what was found before, and how much is missing now."""
    since = before.since if before else None
    cases = labels_of(one for one in rows if since is None or one.decided_at > since)
    labels = sum(one.right is not None for one in cases)
    last, looks = (before.labels, before.look) if before else (0, 0)
    is_look = is_due(labels, last=last)
    if not is_look and before is not None and before.status == "ready":
        return before
    found = find_bar(cases, **about.promise.model_dump(), look=looks + 1)
    seen = {"labels": labels if is_look else last, "look": looks + is_look, "made_at": at}
    if is_look and found.bar is not None:
        is_same = before is not None and before.bar == found.bar
        watched = {"ready_at": before.ready_at, "alarm": before.alarm} if before and is_same else {"ready_at": at}
        ready = {"status": "ready", "bar": found.bar, "coverage": found.coverage, **watched}
        return Calibration.model_validate({**_named_by(about), **seen, **ready, "since": since})
    if before is not None and before.status == "ready":
        # Looks share what they may spend, so that a bar which any of them has found keeps the promise.
        return before.model_copy(update=seen)
    missing = {"needed": max(found.needed, _due_in(labels, last=labels if is_look else last))}
    stays = {"status": before.status, "alarm": before.alarm} if before else {"status": "cold"}
    return Calibration.model_validate({**_named_by(about), **seen, **missing, **stays, "since": since})


def _due_in(labels: int, *, last: int) -> int:
    """How many more labels there must be until a look is due."""
    return next(more for more in count() if is_due(labels + more, last=last))


def _named_by(about: _About) -> dict[str, Any]:
    return {**about.key._asdict(), "promise": about.promise}


def _named(one: Calibration) -> dict[str, Any]:
    return _named_by(_About(one.key, one.promise))
