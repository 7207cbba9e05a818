"""Resolve one case: the model answers, a person decides where it is unsure, the outcome is stored."""

from typing import Literal

from prefect import flow

from hitl_prefect import Generation, Message, Outcome, Policy, resolve_case

BAR = Policy(min_confidence=0.8)


@flow(name="resolve-case")
def resolve_one_case(
    prompt: str,
    instructions: str = "",
    choices: tuple[str, ...] = (),
    task: str = "support",
    model: str = "embedded:support",
    store: str = "outcomes",
    policy: Policy = BAR,
    case_id: str | None = None,
    metadata: dict[str, str | int | float | bool | None] | None = None,
    requester: str | None = None,
    messages: tuple[Message, ...] = (),
    draft: Generation | None = None,
    stream: bool = False,
) -> Outcome[str]:
    """Answer a prompt and keep the outcome.

    Args:
        prompt: What to ask the model; empty where `messages` are given.
        instructions: The system prompt.
        choices: The answers to choose from; none means free text.
        task: What kind of case this is.
        model: `provider:name`, or the name of a saved model block.
        store: `folder:` path, `s3://` URL, or the name of a saved store block.
        policy: When a person is asked.
        case_id: Names the case; the flow run's id if empty.
        metadata: Facts for people and reports; never sent to the model.
        requester: Who asks, and so may not review.
        messages: The whole conversation, images included, in place of prompt and instructions.
        draft: What the model returned before, such as in a batch; it is not asked again.
        stream: Show the draft in the Artifacts tab while it is being written.
    """
    system = (Message(role="system", content=instructions),) if instructions else ()
    return resolve_case(
        messages or (*system, Message(role="user", content=prompt)),
        answer=Literal[choices] if choices else str,
        model=model,
        task=task,
        store=store,
        policy=policy,
        case_id=case_id,
        metadata=metadata,
        requester=requester,
        draft=draft,
        stream=stream,
    )


if __name__ == "__main__":
    # Four runs at a time: each is a Python process of its own.
    resolve_one_case.serve(name="resolve-case", limit=4)
