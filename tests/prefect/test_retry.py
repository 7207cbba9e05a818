"""A reviewer asks for another attempt: what the model gets, what the next form shows, what the outcome keeps."""

from typing import Any

import pytest

from hitl_prefect.errors import ProviderDenied
from hitl_prefect.messages import Message
from hitl_prefect.providers.scripted import Step, register
from tests.prefect.flows.invoices import extract_invoice

FIRST = '{"vendor": "ACME", "total": 12.5, "notes": {}, "confidence": 0.6}'
SECOND = '{"vendor": "ACME", "total": 1250, "notes": {}, "confidence": 0.9}'
THIRD = '{"vendor": "ACME Ltd", "total": 1250, "notes": {}, "confidence": 0.95}'


@pytest.fixture
def start(resident, document, request):
    """A run whose model plays these steps; the script keeps what the model was asked."""

    def started(*steps: Any) -> tuple[str, Any]:
        script = register(request.node.name, steps)
        model, policy = f"scripted:{request.node.name}", {"reviewers": ["ada", "bob"]}
        return resident.start(extract_invoice, document=document, policy=policy, model=model), script

    return started


def again(resident, run: str, guidance: str, reviewer: str = "ada") -> str:
    """Ask for another attempt; the name of the state in which the run then is."""
    resident.answer(run, decision="retry", guidance=guidance, reviewer=reviewer)
    return resident.go_on(run)


def test_three_attempts_are_kept_with_who_asked_for_the_next(resident, start):
    """Draft, score, route and guidance of each; the last offers no further one."""
    run, _script = start(FIRST, SECOND, THIRD)
    again(resident, run, "The comma separates thousands.")
    again(resident, run, "The vendor is a company.", reviewer="bob")
    offered = resident.form(run)["properties"]["decision"]["enum"]
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)
    (outcome,) = resident.outcomes(run)
    attempts = [*outcome["earlier"], {key: outcome[key] for key in ("generation", "score", "route")}]

    assert offered == ["approve", "edit", "reject"]
    assert [
        (one["generation"]["attempt"], one["generation"]["answer"]["total"], one["generation"]["guidance"])
        for one in attempts
    ] == [(1, 12.5, None), (2, 1250, "The comma separates thousands."), (3, 1250, "The vendor is a company.")]
    assert [(one["score"]["confidence"], one["route"]["reason"]) for one in attempts] == [
        (0.6, "cold_start"),
        (0.9, "cold_start"),
        (0.95, "cold_start"),
    ]
    assert [
        (one["attempt"], one["decision"], one["reviewer"], one["guidance"], one["draft_sha256"])
        for one in outcome["review"]["verdicts"]
    ] == [
        (1, "retry", "ada", "The comma separates thousands.", attempts[0]["generation"]["sha256"]),
        (2, "retry", "bob", "The vendor is a company.", attempts[1]["generation"]["sha256"]),
        (3, "approve", "ada", "", attempts[2]["generation"]["sha256"]),
    ]


def test_the_next_form_shows_the_guidance_and_what_changed(resident, start):
    """And the model was shown its earlier draft with the reviewer's words."""
    run, script = start(FIRST, SECOND)
    again(resident, run, "The comma separates thousands.")

    assert (
        "The guidance that was given:\n\n```text\nThe comma separates thousands.\n```\n\n"
        "What changed since attempt 1, `-` before and `+` now:\n\n```text\ntotal\n- 12.5\n+ 1250"
    ) in resident.description(run)
    assert script.requests[1].messages[1:] == (
        Message(role="assistant", content=FIRST),
        Message(role="user", content="A reviewer asks for another attempt:\nThe comma separates thousands."),
    )


@pytest.mark.parametrize(
    ("unusable", "why"),
    [
        (Step(text="I would rather not.", refusal=True), "the model declined to answer"),
        (Step(text='{"vendor": " ", "total": 1}'), "vendor: Value error, a vendor has a name"),
        (Step(text='{"vendor": "AC', truncated=True), "the reply was cut off by a token limit"),
    ],
    ids=["refused", "invalid", "truncated"],
)
def test_a_draft_without_an_answer_can_be_tried_again(resident, start, unusable, why):
    """The next form says what was wrong with the attempt before."""
    run, _script = start(unusable, SECOND)
    again(resident, run, "Read the document again.")
    described = resident.description(run)
    resident.answer(run, decision="approve", reviewer="bob")
    resident.go_on(run)
    (outcome,) = resident.outcomes(run)

    assert f"Attempt 1 has no answer to compare with:\n\n- ` {why} `" in described
    assert outcome["earlier"][0]["generation"]["problems"] == [why]
    assert outcome["final_answer"]["total"] == 1250


def test_a_second_attempt_that_fails_for_good_goes_on_with_the_same_guidance(resident, start):
    """The run fails and keeps the verdict; retried in Prefect it asks the model the same again, and no person."""
    run, script = start(FIRST, ProviderDenied("the key was refused"), SECOND)
    failed = again(resident, run, "The comma separates thousands.")
    resident.force(run, "AwaitingRetry", "SCHEDULED")
    waits = resident.go_on(run)
    resident.answer(run, decision="approve", reviewer="bob")
    resident.go_on(run)
    (outcome,) = resident.outcomes(run)

    assert (failed, waits, len(script.requests)) == ("Failed", "Suspended", 3)
    assert script.requests[2] == script.requests[1]
    assert [(one["attempt"], one["decision"]) for one in outcome["review"]["verdicts"]] == [
        (1, "retry"),
        (2, "approve"),
    ]
    assert outcome["generation"]["guidance"] == "The comma separates thousands."
