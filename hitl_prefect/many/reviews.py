"""Open the chosen forms, and conclude the cases for which the day had none."""

from collections.abc import Iterator
from datetime import UTC, datetime

from hitl_prefect.abreast import abreast
from hitl_prefect.concluding import conclude_unasked
from hitl_prefect.detached import Detached, Member, aopen_reviews
from hitl_prefect.many.batch import Batch
from hitl_prefect.many.ledger import Kept
from hitl_prefect.many.storing import store_kept
from hitl_prefect.models import Attempt

__all__ = ["conclude_rest", "open_chosen", "open_within", "places_of"]

_FORMS = 100
"""Forms per lot."""
_CASES = 500
"""About how many cases a lot may have, where forms are shared."""


async def open_within(batch: Batch, first: int, last: int) -> None:
    """Open a form for each case of a chunk that needs a person."""
    batch.ledger.execute(
        "UPDATE cases SET form = place WHERE place BETWEEN ? AND ? AND state = 'drafted' AND is_review = 1 "
        "AND form IS NULL",
        first,
        last,
    )
    await open_chosen(batch, first, last)


async def open_chosen(batch: Batch, first: int = 0, last: int | None = None) -> None:
    """Open the chosen forms, or those that begin within a chunk; a form that is open already stays as it is."""
    query = (
        "SELECT form, count(*) FROM cases WHERE state = 'drafted' AND form > 0 AND form BETWEEN ? AND ? "
        "GROUP BY form ORDER BY form LIMIT ?"
    )
    end = (1 << 62) if last is None else last
    async with batch.opening:
        while found := batch.ledger.execute(query, first, end, _FORMS):
            for lot in _lots(found):
                await _open(batch, lot)
            first = found[-1][0] + 1  # what is open by now is not looked at again


def _lots(found: list[tuple[int, int]]) -> Iterator[list[int]]:
    """Forms together, as many as fit in memory with all of their cases."""
    lot: list[int] = []
    cases = 0
    for form, count in found:
        if lot and cases + count > _CASES:
            yield lot
            lot, cases = [], 0
        lot.append(form)
        cases += count
    yield lot


async def _open(batch: Batch, forms: list[int]) -> None:
    places = [places_of(batch, form) for form in forms]
    reviews = [_review(batch, [batch.ledger.read(place) for place in members]) for members in places]
    await aopen_reviews(reviews, work_pool=batch.wanted.work_pool)
    batch.ledger.settle([place for members in places for place in members], "opened")


def places_of(batch: Batch, form: int) -> list[int]:
    """The cases that a chosen form answers, in order: that which it shows is the first."""
    query = "SELECT place FROM cases WHERE form = ? AND state = 'drafted' ORDER BY place"
    return [place for (place,) in batch.ledger.execute(query, form)]


def _review(batch: Batch, members: list[Kept]) -> Detached:
    shown, *others = members
    return Detached(
        case=shown.case,
        attempt=_attempt(shown),
        policy=batch.wanted.policy,
        model=batch.wanted.model,
        store=batch.wanted.store,
        members=tuple(Member(case=one.case, attempt=_attempt(one)) for one in others),
        batch=batch.name,
        batch_run_id=batch.run_id,
    )


def _attempt(kept: Kept) -> Attempt:
    assert kept.attempt is not None, f"case {kept.case.id!r} was chosen for a review without a draft"  # noqa: S101
    return kept.attempt


async def conclude_rest(batch: Batch) -> None:
    """Conclude the cases that got no form, as the policy's `over_budget` says, and store what they end in."""
    query = "SELECT place FROM cases WHERE state = 'drafted' AND form = 0 AND place > ? ORDER BY place LIMIT ?"
    last = 0
    while found := batch.ledger.execute(query, last, _FORMS):
        last = found[-1][0]
        await abreast([_conclude(batch, batch.ledger.read(place)) for (place,) in found])


async def _conclude(batch: Batch, kept: Kept) -> None:
    if kept.outcome is None:
        at = datetime.now(UTC)
        outcome = conclude_unasked(kept.case, _attempt(kept), policy=batch.wanted.policy, at=at)
        stored = batch.ledger.keep_outcome(kept.place, outcome)
        kept = kept._replace(outcome=outcome, stored=stored)
    state = await store_kept(batch, kept, "over_budget")
    if state != "failed":
        batch.ledger.settle([kept.place], state)
