"""Tool calls of an agent, approved by people through the same form as every other case."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hitl_prefect.agents.interrupts import _read
from hitl_prefect.errors import ConfigError
from tests.prefect.flows import agents
from tests.prefect.flows.agents import LOOK, PAY, by_hand, interrupted, pay_bill, twice

FLOWS = Path(__file__).parents[2] / "flows"
BILL = {"payment": {"to": "ACME", "amount": 12.5, "on": None}, "note": "bill 7"}
LESS = {"payment": {"to": "ACME", "amount": 10.5, "on": "2026-01-31"}, "note": "bill 7"}
ANYBODY = {"reviewers": ["ada", "bob"]}
EVERY = ["approve", "edit", "reject", "respond"]
INTERRUPT = {
    "action_requests": [
        {"name": "remove", "args": {"path": "/a"}, "description": "Removes a file."},
        {"name": "remove", "args": {"path": "/b"}},
        {"name": "wipe", "args": {"disk": 1}},
    ],
    "review_configs": [
        {"action_name": "remove", "allowed_decisions": EVERY},
        {"action_name": "wipe", "allowed_decisions": EVERY},
    ],
}


@pytest.fixture(autouse=True)
def clerk():
    """A model and tools that nobody has asked yet."""
    for counted in (agents.asked, agents.done, agents.wanted, agents.later, agents.failing, agents.resumed):
        counted.clear()
    agents.wanted.append(PAY)


def told() -> list[str]:
    """What the model was told of its calls, in its last turn."""
    return [str(part.content) for part in agents.asked[-1][-1].parts]


def answered(resident, run: str, **typed) -> str:
    """Answer, and let the run go on from the top; the state in which it then is."""
    resident.answer(run, reviewer="ada", **typed)
    return resident.go_on(run)


def test_an_approved_call_is_made_as_it_stands(resident):
    """The agent goes on with the tool's result; the outcome is stored like that of any case."""
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy=ANYBODY)
    described, form = resident.description(run), resident.form(run)
    ended = answered(resident, run, decision="approve")
    (outcome,) = resident.outcomes(run)

    assert (ended, agents.done, told()) == ("Completed", [("pay", "ACME", 12.5, "bill 7")], ["paid 12.5 to ACME"])
    assert len(agents.asked) == 2
    assert (outcome["decision"], outcome["decided_by"], outcome["final_answer"]) == ("approve", "human", BILL)
    assert (outcome["generation"]["provider"], outcome["generation"]["model"]) == ("function", "clerk")
    assert form["properties"]["decision"]["enum"] == ["approve", "edit", "reject"]
    assert form["properties"]["answer"]["properties"]["payment"]["properties"]["amount"]["exclusiveMinimum"] == 0
    assert all(said in described for said in ("the tool pay needs approval", "Send money.", "Pay bill 7."))


def test_an_edited_call_is_made_once_with_the_reviewers_arguments(resident):
    """What the tool's own types refuse is asked again before anything runs."""
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy=ANYBODY)
    typo = {**LESS, "payment": {**LESS["payment"], "on": "soon"}}
    asked_again = answered(resident, run, decision="edit", answer=typo)
    described, before = resident.description(run), list(agents.done)
    ended = answered(resident, run, decision="edit", answer=LESS)
    (outcome,) = resident.outcomes(run)

    assert (asked_again, before, ended) == ("Suspended", [], "Completed")
    assert "payment.on: Input should be a valid date" in described
    assert (agents.done, len(agents.asked)) == ([("pay", "ACME", 10.5, "bill 7")], 2)
    assert (outcome["generation"]["answer"], outcome["final_answer"]) == (BILL, LESS)


def test_the_model_is_told_why_a_call_was_rejected(resident):
    """The reviewer's own words; the tool does not run."""
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy=ANYBODY)
    ended = answered(resident, run, decision="reject", reason="Bill 7 was paid in March.")

    assert (ended, agents.done, told()) == ("Completed", [], ["Bill 7 was paid in March."])


def test_two_calls_of_one_turn_are_two_cases(resident):
    """One is made and one is not; what needs no approval runs once, however often the flow begins from the top."""
    agents.wanted += [LOOK, agents.another(PAY, "call_Pay/2", amount=99)]
    run = resident.start(pay_bill, prompt="Pay both.", policy=ANYBODY)
    first = answered(resident, run, decision="approve")
    ended = answered(resident, run, decision="reject", reason="Too much.")
    outcomes = {one["generation"]["answer"]["payment"]["amount"]: one["decision"] for one in resident.outcomes(run)}

    assert (first, ended, len(agents.asked)) == ("Suspended", "Completed", 2)
    assert agents.done == [("balance", "main"), ("pay", "ACME", 12.5, "bill 7")]
    assert sorted(told()) == ["100.0", "Too much.", "paid 12.5 to ACME"]
    assert outcomes == {12.5: "approve", 99: "reject"}


def test_a_model_that_names_two_calls_alike_gets_the_result_of_each(resident):
    """Some servers begin to count anew in each turn: what was approved is made, not an earlier call's result read."""
    agents.later.append(agents.another(PAY, PAY.tool_call_id, amount=99))
    run = resident.start(pay_bill, prompt="Pay both.", policy=ANYBODY)
    states = [answered(resident, run, decision="approve") for _ in range(2)]

    assert states == ["Suspended", "Completed"]
    assert [one[2] for one in agents.done] == [12.5, 99]
    assert told() == ["paid 99.0 to ACME"]


def test_a_call_that_nobody_approved_in_time_is_not_made(resident):
    """The deadline rejects, and the model is told so."""
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy={**ANYBODY, "deadline_s": 1, "on_deadline": "reject"})
    ends_at = datetime.now(UTC) + timedelta(seconds=1.2)
    while datetime.now(UTC) < ends_at:
        resident.state(run)
    resident.force(run, "Resuming", "SCHEDULED")
    ended = resident.go_on(run)

    assert (ended, agents.done) == ("Completed", [])
    assert told() == ["Nobody approved this tool call in time. It was not made."]


def test_an_approval_is_of_the_exact_arguments(resident):
    """A flow that asks its model again, and gets other arguments for the same call, asks a person again."""
    run = resident.start(by_hand, prompt="Pay bill 7.", policy=ANYBODY)
    agents.wanted[:] = [agents.another(PAY, PAY.tool_call_id, amount=99_000)]
    changed = answered(resident, run, decision="approve")
    before = list(agents.done)
    ended = answered(resident, run, decision="approve")

    assert (changed, before, ended) == ("Suspended", [], "Completed")
    assert agents.done == [("pay", "ACME", 99_000, "bill 7")]


def test_a_payment_that_was_made_is_not_made_again(resident):
    """The model fails after it, the run fails and is retried in Prefect: nobody is asked, nothing is paid twice."""
    agents.failing.append(ConnectionError("the model is gone"))
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy=ANYBODY)
    failed, paid = answered(resident, run, decision="approve"), list(agents.done)
    resident.force(run, "AwaitingRetry", "SCHEDULED")
    ended = resident.go_on(run)

    assert (failed, ended, told()) == ("Failed", "Completed", ["paid 12.5 to ACME"])
    assert agents.done == paid == [("pay", "ACME", 12.5, "bill 7")]


def test_a_second_agent_needs_a_name_of_its_own(resident):
    """It would read the replies of the first."""
    agents.wanted[:] = [LOOK]
    run = resident.start(twice, prompt="Look.", policy=ANYBODY)

    assert resident.state(run) == "Failed"
    assert "this flow run has run an agent of that task and name before" in resident.run(run)["state"]["message"]


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"review": "never", "reversible": True}, "review='never' would ask nobody"),
        ({"on_deadline": "fallback", "fallback": BILL}, "a tool call that nobody approved is not made"),
        ({"max_cost_usd": 1}, "max_cost_usd does not count"),
    ],
)
def test_a_policy_that_approvals_cannot_honour_is_refused(resident, policy, why):
    """Before the model is asked."""
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy=policy)

    assert (resident.state(run), agents.asked) == ("Failed", [])
    assert why in resident.run(run)["state"]["message"]


def test_an_interrupt_of_langchain_becomes_decisions(resident):
    """In the order of the actions, as `Command(resume=...)` takes them."""
    run = resident.start(interrupted, value=INTERRUPT, policy=ANYBODY)
    answered(resident, run, decision="approve")
    answered(resident, run, decision="edit", answer={"path": "/c"})
    ended = answered(resident, run, decision="reject", reason="Never.")

    assert ended == "Completed"
    assert agents.resumed == [
        {
            "decisions": [
                {"type": "approve"},
                {"type": "edit", "edited_action": {"name": "remove", "args": {"path": "/c"}}},
                {"type": "reject", "message": "Never."},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"action_requests": [{"args": {}}]}, "action_requests.0.name: Field required"),
        ({"review_configs": [{"action_name": "remove", "allowed_decisions": ["respond"]}]}, "'remove' does not allow"),
    ],
)
def test_an_interrupt_that_cannot_be_answered_is_refused(changes, why):
    """Before anybody is asked."""
    with pytest.raises(ConfigError, match=why):
        _read({**INTERRUPT, **changes})


def test_the_example_goes_on_in_a_new_process(site):
    """A worker runs it as it stands in `flows/`, and again in a process of its own after the answer."""
    run = site.start(site.deploy("approve_tool_calls.py:handle_complaint", source=FLOWS))
    site.wait_for_question(run)
    site.answer(run, decision="edit", answer={"order": "A-17", "euros": 20, "words": "Half."}, reviewer="ada")
    site.wait(run, "Completed")
    (outcome,) = site.outcomes(run)

    assert outcome["generation"]["answer"]["euros"] == 39.9
    assert outcome["final_answer"] == {"order": "A-17", "euros": 20, "words": "Half."}
