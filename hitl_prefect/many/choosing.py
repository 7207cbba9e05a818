"""Which of the drafts that need a person get a form, and which share one: by the policy's grouping and daily budget.

The choice is written to the ledger in one piece before the first form is opened, so that a run that is killed goes on
with the same one. `form` of a case is the place of the case that its form shows, `0` where there is none for it.
"""

from datetime import UTC, datetime

from prefect.client.orchestration import get_client

from hitl_prefect.alike import split_group
from hitl_prefect.detached.deployment import FLOW
from hitl_prefect.many.batch import Batch

__all__ = ["choose", "choose_within", "waits_for_the_end"]

_UNCHOSEN = "state = 'drafted' AND is_review = 1 AND form IS NULL"
_UNKNOWN = 9e999
"""A loss that nobody knows counts as the highest."""


def waits_for_the_end(batch: Batch) -> bool:
    """Whether it takes all drafts to know who is asked about which."""
    policy = batch.wanted.policy
    return policy.grouping is not None or policy.max_reviews_per_day is not None


async def choose(batch: Batch) -> None:
    """Give a form to as many as the day allows, the highest expected loss first; the rest is held or gets none.

    What was chosen before is opened by now, so that the server counts it among the day's.
    """
    most = batch.wanted.policy.max_reviews_per_day
    choose_within(batch, None if most is None else max(0, most - await _opened_today(batch.wanted.task)))


def choose_within(batch: Batch, room: int | None) -> None:
    """The same for so many forms; as many as there are where it is `None`."""
    with batch.ledger.together():
        _make_forms(batch)
        if room is not None:
            _leave_out(batch, room)


def _make_forms(batch: Batch) -> None:
    ledger, grouping = batch.ledger, batch.wanted.policy.grouping
    if grouping is not None:
        keys = ledger.execute(f"SELECT DISTINCT alike FROM cases WHERE {_UNCHOSEN} AND alike IS NOT NULL")  # noqa: S608
        for (alike,) in keys:
            members = ledger.execute(f"SELECT place FROM cases WHERE {_UNCHOSEN} AND alike = ? ORDER BY place", alike)  # noqa: S608
            places = (place for (place,) in members)
            _, groups = split_group(places, one_by_one=grouping.one_by_one, at_most=grouping.at_most)
            shared = ((group[0], place) for group in groups for place in group)
            ledger.change("UPDATE cases SET form = ? WHERE place = ?", shared)
    ledger.execute(f"UPDATE cases SET form = place WHERE {_UNCHOSEN}")  # noqa: S608 - each of the others has its own


def _leave_out(batch: Batch, room: int) -> None:
    """What is left when the day's forms are given away."""
    is_held = batch.wanted.policy.over_budget == "hold"
    what = "state = 'held', form = NULL" if is_held else "form = 0"
    batch.ledger.execute(
        f"UPDATE cases SET {what} WHERE state = 'drafted' AND form IN ("  # noqa: S608 - one of two texts of ours
        "SELECT form FROM cases WHERE state = 'drafted' AND form > 0 GROUP BY form "
        "ORDER BY sum(coalesce(loss, ?)) DESC, form LIMIT -1 OFFSET ?)",
        _UNKNOWN,
        room,
    )


async def _opened_today(task: str) -> int:
    """How many reviews of the task were opened since midnight UTC, by whichever batch."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = {
        "flows": {"name": {"any_": [FLOW]}},
        # A run that was created suspended keeps the time of its creation as the time when it was expected.
        "flow_runs": {"tags": {"all_": [f"task:{task}"]}, "expected_start_time": {"after_": midnight.isoformat()}},
    }
    async with get_client() as client:
        return int((await client.request("POST", "/flow_runs/count", json=wanted)).raise_for_status().json())
