"""The bars that a batch goes by: those in force when it began, also where another run goes on with it."""

from dataclasses import replace

from pydantic import TypeAdapter

from hitl_prefect.calibrations import Calibrated
from hitl_prefect.many.batch import Batch, Wanted
from hitl_prefect.many.ledger import Ledger
from hitl_prefect.pinning import apin_policy

__all__ = ["keep", "pinned"]

_FACT = "calibrated"
_BARS: TypeAdapter[Calibrated | None] = TypeAdapter(Calibrated | None)


async def pinned(wanted: Wanted, ledger: Ledger) -> Wanted:
    """What is wanted, with the bars of the run that began the batch, or with those in force now.

    Raises:
        StoreError: If the bars cannot be read, after retries.
    """
    policy, began = wanted.policy, ledger.read_fact(_FACT)
    if policy.promise is None or policy.calibrated is not None:
        return wanted
    if began is not None:
        return replace(wanted, policy=policy.with_calibrated(_BARS.validate_json(began)))
    return replace(wanted, policy=await apin_policy(policy, task=wanted.task, store=wanted.store))


def keep(batch: Batch) -> None:
    """Write down which bars the batch goes by; a dry run has begun nothing, and does not."""
    if batch.wanted.policy.promise is not None:
        batch.ledger.write_fact(_FACT, _BARS.dump_json(batch.wanted.policy.calibrated).decode())
