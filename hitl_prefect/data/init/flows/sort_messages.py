"""Sort messages: what the model is sure of is stored, and a person is asked about the others."""

from typing import Literal

from prefect import flow
from pydantic import BaseModel

from hitl_prefect import BatchSummary, Policy, resolve_cases

ASK = Policy(min_confidence=0.8)
"""When a person is asked: where the model is less sure than this."""


class Sorted(BaseModel):
    """The answer: the model drafts it, the form shows it, the store keeps it."""

    category: Literal["account", "billing", "delivery", "feedback", "refund", "technical"]


@flow(name="sort-messages")
def sort_messages(
    source: str = "messages.jsonl", model: str = "embedded:support", store: str = "folder:outcomes"
) -> BatchSummary:
    """Sort every message of a file; what was sorted before is passed over.

    Args:
        source: Path or `s3://` URL of JSONL, CSV or Parquet, with an `id` and a `prompt` per message.
        model: `provider:name`, such as `openai:gpt-5-mini` with OPENAI_API_KEY set.
        store: `folder:` path, `s3://` URL, or the name of a saved store block.
    """
    return resolve_cases(source, answer=Sorted, task="sorting", model=model, store=store, policy=ASK)


if __name__ == "__main__":
    sort_messages.serve(name="sort-messages")
