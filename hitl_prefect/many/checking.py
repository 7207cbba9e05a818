"""What can be wrong with a batch before its source is read."""

import re

from prefect.runtime import flow_run

from hitl_prefect.answer_names import name_of_answer
from hitl_prefect.concluding import fallback_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.judging import check_scoring
from hitl_prefect.many.batch import Wanted
from hitl_prefect.opening import check_asking, make_case
from hitl_prefect.spending import check_prices

__all__ = ["check", "check_flow_run"]

_NAME = re.compile(r"[a-z0-9-]{1,64}")


def check_flow_run() -> None:
    """Refuse to begin where there is no flow run; the server is not asked.

    Raises:
        ConfigError: If so.
    """
    if flow_run.id is None:
        raise ConfigError("resolve_cases needs a flow run: call it in the body of a function with @flow")


async def check(wanted: Wanted, batch: str | None) -> None:
    """Find everything that can be wrong about asking the model, asking people and keeping what they say.

    Raises:
        ConfigError: If something that a case will need is missing or cannot be honoured.
    """
    if batch is not None and not _NAME.fullmatch(batch):
        raise ConfigError(f"batch={batch!r} is no name: 1 to 64 lower-case letters, digits and dashes")
    policy, any_case = wanted.policy, make_case("any", task=wanted.task, case_id="any", answer=wanted.answer)
    await check_asking(any_case, policy, store=wanted.store)
    name_of_answer(wanted.answer)
    if "fallback" in (policy.on_deadline, policy.over_budget):
        fallback_of(any_case, policy)
    await check_scoring(policy, wanted.model)
    await check_prices(policy, wanted.model)
