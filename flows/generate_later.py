"""Ask for many answers at half the price: submit a file of cases as batches, and be done."""

from typing import Literal

from prefect import flow, get_run_logger

from hitl_prefect import cases_from_jsonl, submit_batch


@flow(name="generate-later")
def generate_later(
    path: str,
    instructions: str = "",
    choices: tuple[str, ...] = (),
    task: str = "support",
    model: str = "openai:gpt-5-mini",
    store: str = "outcomes",
    dry_run: bool = False,
) -> None:
    """Submit the cases of a file; `fetch-batches` goes on with each when its batch has ended, within a day.

    Run it again after a failure: nothing is submitted twice.

    Args:
        path: A file with one JSON object per line: `id`, `prompt` or `messages`, and, if you like, `metadata` and
            `requester`.
        instructions: The system prompt of all cases.
        choices: The answers to choose from; none means free text.
        task: What kind of cases these are.
        model: A model of OpenAI or Anthropic: `provider:name`, or the name of a saved model block.
        store: Where batches and outcomes are kept: `folder:` path, `s3://` URL, or the name of a saved store block.
        dry_run: Only say what would be sent.
    """
    answer = Literal[choices] if choices else str
    cases = cases_from_jsonl(path, task=task, answer=answer, instructions=instructions)
    for one in submit_batch(cases, model=model, store=store, dry_run=dry_run):
        size = f", about {one.tokens:,} tokens, {one.size_bytes:,} bytes" if dry_run else ""
        what = f"{one.status.replace('_', ' ')}{f' as {one.batch_id}' if one.batch_id else ''}{size}"
        get_run_logger().info("batch %s of %s: %d requests, %s %s", one.key[:12], model, one.requests, what, one.detail)


if __name__ == "__main__":
    generate_later.serve(name="generate-later")
