"""The flow of a review: it runs once somebody has answered, and never asks the model for the draft under review."""

from collections.abc import Sequence
from typing import Any

from prefect import flow, get_run_logger
from pydantic import JsonValue

from hitl_prefect.detached.parameters import ReviewParameters, discard, settled_before, thaw
from hitl_prefect.detached.settling import asettle
from hitl_prefect.errors import ObjectMissing
from hitl_prefect.outcomes import Outcome

__all__ = ["review"]


# A result would be written as a pickle; what comes of a review stands in the store, as JSON.
@flow(name="review", validate_parameters=False, persist_result=False)
async def review(
    case: str,
    task: str,
    store: str,
    batch: str = "",
    asked: str = "",
    kept: dict[str, Any] | None = None,
    members: Sequence[str] = (),
) -> Outcome[JsonValue]:
    """Settle one review: with what a person said, or as the policy declares for nobody coming.

    Runs again from the top whenever it goes on; what it did stands in the inputs of the flow run.
    """
    parameters = ReviewParameters.model_validate(
        {"case": case, "task": task, "store": store, "batch": batch, "asked": asked, "kept": kept, "members": members}
    )
    try:
        about = await thaw(parameters)
    except ObjectMissing:
        if before := await settled_before(parameters):
            return before
        raise
    outcome = await asettle(about)
    if stays := await discard(parameters, about.policy.retention):
        get_run_logger().warning("%s", stays)
    return outcome
