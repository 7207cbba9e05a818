"""Reviews in flow runs of their own: opened without a process, settled from what is frozen in them."""

import asyncio
import json
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client
from pydantic import RootModel

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.detached.batch_ends import atell_batch_end
from hitl_prefect.detached.batch_rows import abegin_batch, aleave_summary
from hitl_prefect.policy import Policy
from tests.prefect.resident import Resident
from tests.prefect.reviews_at_hand import DRAFT, a_case, a_member, a_review, opened
from tests.servers.machine import wait_until

# Prefect opens a client for an async flow, asks it for the result storage, and never closes it.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"), pytest.mark.usefixtures("collected")]


class Words(RootModel[dict[str, str]]):
    """Any words under any names."""


def test_a_review_waits_from_the_beginning_and_ships_what_was_approved(resident):
    """No process has run before the answer; the form, the labels and the event are those of any other review."""
    asked = a_review(resident.store, policy=Policy(min_confidence=0.9, error_cost=10))
    (run,) = opened(resident, asked)
    before = resident.run(run)
    resident.answer(run, decision="approve")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (before["state"]["name"], before["run_count"], before["name"]) == (
        "Suspended",
        0,
        f"Review: detached · case {asked.case.id}",
    )
    assert sorted(before["tags"]) == ["hitl", "task:detached", "waiting"]
    assert before["labels"]["hitl.expected_loss"] == pytest.approx(4)
    assert (outcome["decision"], outcome["final_answer"], outcome["deployment"]) == ("approve", DRAFT, "hitl")
    assert outcome["generation"]["sha256"] == asked.attempt.generation.sha256
    wait_until(lambda: [one["event"] for one in resident.told(run)][:1] == ["hitl.review.opened"], "it is told")


def test_opened_again_it_is_the_same_review(resident):
    """However often a batch is started again; another draft of the same case is another review."""
    case = a_case()
    one, other = a_review(resident.store, case=case), a_review(resident.store, case=case, answer={**DRAFT, "words": 4})
    (first, again), (third,) = opened(resident, one, one), opened(resident, other)

    assert (first == again, first == third) == (True, False)


def test_opened_again_after_it_was_settled_it_stays_settled(resident):
    """A batch that was killed before it noted that its reviews are open opens them again, answered or not."""
    asked = a_review(resident.store, batch=f"b-{uuid4().hex[:8]}")
    (run,) = opened(resident, asked)
    resident.answer(run, decision="approve")
    resident.go_on(run)
    settled = sorted(resident.run(run)["tags"])
    opened(resident, asked)

    assert ("decision:approve" in settled, "waiting" in settled) == (True, False)
    assert sorted(resident.run(run)["tags"]) == settled


def test_an_answer_that_does_not_apply_is_asked_again_in_the_same_run(resident):
    """The second round is like any other."""
    (run,) = opened(resident, a_review(resident.store, policy=Policy(reviewers=["ada"])))
    resident.answer(run, decision="edit", answer={**DRAFT, "words": "many"}, reviewer="ada")
    first = resident.go_on(run)
    resident.answer(run, decision="edit", answer={**DRAFT, "words": 7}, reviewer="ada")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (first, outcome["final_answer"], outcome["decided_by"]) == ("Suspended", {**DRAFT, "words": 7}, "human")


def _heard(resident: Resident, run_id: str) -> list[str]:
    """The rows in which answers stand by themselves."""
    rows = resident.api.post(f"/flow_runs/{run_id}/input/filter", json={"prefix": "hitl-", "limit": 50}).json()
    return sorted(row["key"].split("-", 2)[2] for row in rows if "-verdict-" in row["key"] or "-refused-" in row["key"])


def test_the_answer_that_settles_a_review_stands_in_its_outcome_alone(resident):
    """One row less for the server; whoever comes by before that reads again what was typed."""
    (run,) = opened(resident, a_review(resident.store))
    resident.answer(run, decision="approve")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert [one["decision"] for one in outcome["review"]["verdicts"]] == ["approve"]
    assert _heard(resident, run) == []


def test_an_answer_is_written_down_before_anybody_else_is_asked(resident):
    """Of ada's two answers the second does not count: she has answered."""
    (run,) = opened(resident, a_review(resident.store, policy=Policy(quorum=2)))
    for reviewer in ("ada", "ada", "bob"):
        resident.answer(run, decision="approve", reviewer=reviewer)
        resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert [one["reviewer"] for one in outcome["review"]["verdicts"]] == ["ada", "bob"]
    assert _heard(resident, run) == ["refused-1-2", "verdict-1-1"]


def test_another_attempt_asks_the_model_and_then_the_person(resident):
    """Only then: the frozen draft is never made again."""
    model = resident.drafting({**DRAFT, "subject": "Sorry"})
    (run,) = opened(resident, a_review(resident.store, model=model, policy=Policy(max_attempts=2)))
    resident.answer(run, decision="retry", guidance="Be polite.")
    resident.go_on(run)
    resident.answer(run, decision="approve")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (outcome["final_answer"]["subject"], [one["generation"]["answer"] for one in outcome["earlier"]]) == (
        "Sorry",
        [DRAFT],
    )


def test_the_deadline_acts_although_nothing_ran_before(resident):
    """Nobody came: the policy's end, decided by the deadline."""
    (run,) = opened(resident, a_review(resident.store, policy=Policy(deadline_s=1, on_deadline="reject")))
    wait_until(lambda: any(str(one.run_id) == run for one in resident.chase()), "it is woken")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (outcome["decision"], outcome["decided_by"]) == ("reject", "deadline")


@pytest.mark.parametrize("answer", ["{{ 7 * 7 }}", {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}])
def test_what_a_model_wrote_is_never_evaluated(resident, answer):
    """Prefect evaluates such objects among the parameters of a run that is created."""
    case = a_case(answer=Words if isinstance(answer, dict) else str)
    (run,) = opened(resident, a_review(resident.store, case=case, answer=answer))
    packed = json.loads(resident.run(run)["parameters"]["asked"])

    assert packed["attempt"]["generation"]["answer"] == answer


def test_a_large_draft_is_kept_in_the_store_and_named_by_its_sha256(resident):
    """Prefect takes 512 kB of parameters; changed in the store, nothing of it applies."""
    (run, other) = opened(
        resident, *(a_review(resident.store, case=a_case(f"{letter * 600_000}")) for letter in ("a", "b"))
    )
    resident.answer(run, decision="approve")
    resident.go_on(run)
    kept = resident.run(other)["parameters"]["kept"]
    path = resident.folder / "outcomes" / kept["key"]
    path.write_bytes(path.read_bytes().replace(b"Late", b"Paid"))
    resident.answer(other, decision="approve")

    assert (resident.go_on(other), resident.outcomes(other)) == ("Failed", [])
    assert "was changed after the review was opened" in resident.run(other)["state"]["message"]
    assert len(resident.outcomes(run)) == 1


def test_a_review_in_other_letters_is_measured_as_prefect_measures_it(resident):
    """190 kB of Cyrillic are 570 kB to Prefect, which would refuse all reviews of the same request."""
    small, large = opened(resident, a_review(resident.store), a_review(resident.store, case=a_case("\u0434" * 95_000)))

    assert [bool(resident.run(run)["parameters"]["kept"]) for run in (small, large)] == [False, True]


def test_one_form_answers_a_group_and_each_outcome_says_so(resident):
    """The members' own drafts stay beside the answer."""
    policy = Policy()
    asked = a_review(resident.store, policy=policy, members=(a_member(policy), a_member(policy)))
    (run,) = opened(resident, asked)
    shown = resident.description(run)
    resident.answer(run, decision="edit", answer={**DRAFT, "words": 9})
    resident.go_on(run)

    outcomes = resident.outcomes(run)
    group = {"case": asked.case.id, "draft_sha256": asked.attempt.generation.sha256, "size": 3}
    assert {one["case"]["id"] for one in outcomes} == set(asked.group)
    assert [one["review"]["group"] for one in outcomes] == [group] * 3
    assert [one["final_answer"]["words"] for one in outcomes] == [9] * 3
    assert all(case in shown for case in asked.group)


def test_a_case_that_was_decided_elsewhere_takes_nobody_of_its_group_along(resident):
    """Its own second outcome is refused aloud; the others' are the only ones that they have."""
    case, policy = a_case(), Policy()
    (first,) = opened(resident, a_review(resident.store, case=case))
    resident.answer(first, decision="approve")
    resident.go_on(first)
    draft, members = {**DRAFT, "words": 4}, (a_member(policy), a_member(policy))
    (run,) = opened(resident, a_review(resident.store, case=case, answer=draft, policy=policy, members=members))
    resident.answer(run, decision="approve")

    assert resident.go_on(run) == "Failed"
    assert {one["case"]["id"] for one in resident.outcomes(run)} == {one.case.id for one in members}


def test_the_last_review_of_a_batch_tells_its_summary_once(resident):
    """With how all of them ended; not before the batch has opened all of its reviews."""
    batch, batch_run = f"b-{uuid4().hex[:8]}", resident.create_empty_run()
    one, other = opened(resident, *(a_review(resident.store, batch=batch, batch_run_id=batch_run) for _ in range(2)))
    summary = BatchSummary(batch=batch, task="detached", cases=3, accepted=1, reviews=2, forms=2)
    for run, decision in ((one, "approve"), (other, "reject")):
        resident.answer(run, decision=decision)
        resident.go_on(run)
    early = resident.artifacts(f"hitl-batch-{batch}")
    told = asyncio.run(_tell(resident, batch_run, summary))

    (artifact,) = resident.artifacts(f"hitl-batch-{batch}")
    assert (early, told) == ([], [True, False])
    assert ("approved | 1" in artifact, "rejected | 1" in artifact) == (True, True)


def test_an_end_that_could_not_be_told_is_told_by_whoever_comes_next(resident):
    """The review that told it goes on again, such as after its worker died."""
    batch, batch_run = f"b-{uuid4().hex[:8]}", resident.create_empty_run()
    told = asyncio.run(_tell_through_a_fault(resident, batch_run, BatchSummary(batch=batch, task="detached", cases=0)))

    assert (told, len(resident.artifacts(f"hitl-batch-{batch}"))) == ([False, True, False], 1)


async def _tell_through_a_fault(resident: Resident, batch_run: str, summary: BatchSummary) -> list[bool]:
    with resident.connected():
        async with get_client() as client:
            await aleave_summary(client, UUID(batch_run), summary)
            # The connection breaks in the middle, which no server can be asked to do.
            with patch.object(client, "create_artifact", side_effect=httpx.ReadError("gone")):
                broken = await atell_batch_end(client, batch_run, summary.batch)
            return [broken, *[await atell_batch_end(client, batch_run, summary.batch) for _ in range(2)]]


def test_the_end_of_a_batch_that_goes_on_is_told_anew(resident):
    """Nothing while a further run opens reviews; the same end told again is the same event."""
    batch, batch_run = f"b-{uuid4().hex[:8]}", resident.create_empty_run()
    held = BatchSummary(batch=batch, task="detached", cases=3, accepted=2, held=1)
    done = held.model_copy(update={"accepted": 3, "held": 0})
    told = asyncio.run(_tell_of_runs(resident, batch_run, [held, done, done.model_copy(update={"seconds": 9})]))

    wanted = {"event": {"name": ["hitl.batch.ended"]}, "resource": {"id": [f"hitl.batch.{batch}"]}, "order": "ASC"}
    wait_until(lambda: len(_events(resident, wanted)) == 2, "two events", timeout_s=30)
    assert told == [False, True, False] * 3
    assert [one["payload"]["held"] for one in _events(resident, wanted)] == [1, 0]
    assert len(resident.artifacts(f"hitl-batch-{batch}")) == 3


async def _tell_of_runs(resident: Resident, batch_run: str, summaries: list[BatchSummary]) -> list[bool]:
    """Each summary is that of a run of the batch, whose end somebody would tell at any time."""
    told = []
    with resident.connected():
        async with get_client() as client:
            for summary in summaries:
                await abegin_batch(client, UUID(batch_run), summary.batch)
                told.append(await atell_batch_end(client, batch_run, summary.batch))
                await aleave_summary(client, UUID(batch_run), summary)
                told += [await atell_batch_end(client, batch_run, summary.batch) for _ in range(2)]
    return told


def _events(resident: Resident, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resident.api.post("/events/filter", json={"filter": wanted}).json()["events"]
    return found


def test_a_review_that_was_cancelled_holds_up_no_end_of_its_batch(resident):
    """Its tags say that it waits; its state says that nobody waits for it."""
    batch, batch_run = f"b-{uuid4().hex[:8]}", resident.create_empty_run()
    one, other = opened(resident, *(a_review(resident.store, batch=batch, batch_run_id=batch_run) for _ in range(2)))
    resident.force(one, "Cancelled", "CANCELLED")
    resident.answer(other, decision="approve")
    resident.go_on(other)
    summary = BatchSummary(batch=batch, task="detached", cases=2, reviews=2, forms=2)

    assert asyncio.run(_tell(resident, batch_run, summary)) == [True, False]


def test_a_batch_has_not_ended_before_the_outcome_of_every_answer_is_stored(resident):
    """An answer whose outcome could not be stored yet holds its end up; whoever stores it tells the end."""
    batch, batch_run = f"b-{uuid4().hex[:8]}", resident.create_empty_run()
    where, named = resident.folder / "no-folder-yet", {"batch": batch, "batch_run_id": batch_run}
    one, other = opened(resident, a_review(f"folder:{where}", **named), a_review(resident.store, **named))
    where.write_text("in its way")
    for run in (one, other):
        resident.answer(run, decision="approve")
    states = [resident.go_on(run) for run in (one, other)]
    early = asyncio.run(_tell(resident, batch_run, BatchSummary(batch=batch, task="detached", cases=2, reviews=2)))
    where.unlink()
    resident.force(one, "AwaitingRetry", "SCHEDULED")
    states.append(resident.go_on(one))

    (artifact,) = resident.artifacts(f"hitl-batch-{batch}")
    assert (states, early) == (["Failed", "Completed", "Completed"], [False, False])
    assert "approved | 2" in artifact
    assert "decision:approve" in resident.run(one)["tags"]


async def _tell(resident: Resident, batch_run: str, summary: BatchSummary) -> list[bool]:
    with resident.connected():
        async with get_client() as client:
            await aleave_summary(client, UUID(batch_run), summary)
            return [await atell_batch_end(client, batch_run, summary.batch) for _ in range(2)]
