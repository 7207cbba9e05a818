"""What a batch would be, without asking anybody."""

from prefect import get_run_logger

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.calling import expected_tokens
from hitl_prefect.many.batch import Batch
from hitl_prefect.models import Usage
from hitl_prefect.prices import cost_usd

__all__ = ["foretell"]


async def foretell(batch: Batch, bad_lines: int) -> BatchSummary:
    """How many cases there are, have an outcome or wait for one, and about what the drafts of the others would cost.

    A token per four bytes, and 256 tokens per answer of a model that this process has not heard; what scorers ask is
    not counted.
    """
    count, prompt_bytes = batch.ledger.prompt_bytes()
    provider = await batch.provider(batch.wanted.model)
    answers = count * expected_tokens(f"{provider.name}:{provider.model}", "")
    usage = Usage(input_tokens=prompt_bytes // 4, output_tokens=answers)
    cost = cost_usd(provider.name, provider.model, usage)
    summary = BatchSummary(
        batch=batch.name,
        task=batch.wanted.task,
        cases=sum(batch.ledger.counts().values()),
        bad_lines=bad_lines,
        cost_usd=cost,
        **batch.ledger.counts_before(),
    )
    get_run_logger().info(
        "batch %s, dry run: %d cases, %d bad lines, %d decided before, %d waiting for people; %d would be asked about, "
        "for %s",
        batch.name,
        summary.cases,
        bad_lines,
        summary.decided_before,
        summary.waiting_before,
        count,
        "an unknown price" if cost is None else f"about {cost:,.2f} USD",
    )
    return summary
