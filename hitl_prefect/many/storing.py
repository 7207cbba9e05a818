"""Store the outcome that the ledger keeps of a case, to the letter."""

from prefect import get_run_logger

from hitl_prefect.errors import ObjectMissing, OutcomeConflict
from hitl_prefect.many.batch import Batch
from hitl_prefect.many.known import came_to, find_standing, note_lost
from hitl_prefect.many.ledger import Kept, State
from hitl_prefect.patience import STORE_S, patiently

__all__ = ["store_kept"]


async def store_kept(batch: Batch, kept: Kept, state: State) -> State:
    """Store it; returns what the case has come to: `state`, for the ledger.

    Where somebody else has decided the case since the batch began, theirs stands and ours is kept in quarantine. Where
    theirs is lost, the case is `failed`, and the ledger says why by then.

    Raises:
        StoreError: If the store refused, or stayed down; the next run of the batch stores the same bytes.
    """
    try:
        await patiently(lambda: batch.writers.put(kept), STORE_S)
    except OutcomeConflict as exc:
        get_run_logger().warning("line %d, case %s: decided elsewhere meanwhile: %s", kept.number, kept.case.id, exc)
        standing = await find_standing(batch, kept.case.id)
        if isinstance(standing, ObjectMissing):
            note_lost(batch, kept.place, standing)
            return "failed"
        return came_to(standing)
    return state
