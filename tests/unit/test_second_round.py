"""The demo's second round: what was learnt from the first, whatever people decided there."""

from hitl_prefect.demo.second_round import Round, SecondRound, second_round
from hitl_prefect.demo.story import CATEGORIES, read_messages
from hitl_prefect.learning import read_model
from hitl_prefect.outcomes import CaseRecord, Outcome
from hitl_prefect.providers.embedded import support_messages
from hitl_prefect.shares import Share
from hitl_prefect.stores import FolderStore
from tests.unit.making import a_case, a_generation, a_review, a_route, a_verdict, an_outcome

ASKED = ("msg-09", "msg-10", "msg-11", "msg-13", "msg-14")


def first_round(decide):
    """Outcomes of the first messages; of those in `ASKED` a person decided by `decide(message)`; `None` rejects."""
    return [outcome_of(one, decide) for one in read_messages(1)]


def outcome_of(message, decide):
    case = a_case(id=message.id, task="support", prompt=message.text)
    generation = a_generation(answer=message.category, text=message.category, prompt_sha256=case.prompt_sha256)
    facts = {"case": CaseRecord.of(case), "generation": generation, "final_answer": message.category}
    if message.id in ASKED:
        answer = decide(message)
        decision = "reject" if answer is None else "edit"
        verdict = a_verdict(decision=decision, answer=answer, draft_sha256=generation.sha256)
        facts |= {"decision": decision, "final_answer": answer, "decided_by": "human", "review": a_review(verdict)}
        facts["route"] = a_route(action="review", reason="below_bar", propensity=1.0, bar=0.8)
    return Outcome[str].model_validate(an_outcome(**{"route": a_route(bar=0.8), **facts}).model_dump())


async def test_what_a_careful_person_decided_lets_fewer_messages_be_asked_about_at_no_more_error(tmp_path):
    found = await second_round(first_round(lambda message: message.category), folder=tmp_path)

    assert found == SecondRound(
        learnt_from=5,
        shipped=360,
        rounds=(
            Round(name="first", asked=Share(hits=5, of=14), wrong=Share(hits=0, of=9)),
            Round(name="second, before learning", asked=Share(hits=6, of=14), wrong=Share(hits=0, of=8)),
            Round(name="second, after learning", asked=Share(hits=3, of=14), wrong=Share(hits=0, of=11)),
        ),
        others_before=Share(hits=47, of=66),
        others_after=Share(hits=47, of=66),
    )
    assert read_model(FolderStore(tmp_path), "support").version == 2


async def test_where_everything_was_rejected_nothing_is_learnt_and_nothing_changes(tmp_path):
    found = await second_round(first_round(lambda _: None), folder=tmp_path)
    _, before, after = found.rounds

    assert (found.learnt_from, after.asked, after.wrong) == (0, before.asked, before.wrong)
    assert found.others_after == found.others_before


async def test_where_somebody_says_the_same_to_everything_the_figures_still_add_up(tmp_path):
    found = await second_round(first_round(lambda _: "feedback"), folder=tmp_path)

    assert found.learnt_from == 5
    assert [one.asked.hits + one.wrong.of for one in found.rounds] == [14, 14, 14]


def test_no_message_of_the_second_round_was_seen_before():
    """Neither in the first round nor among those that the package trains on."""
    seen = {one.text for one in (*support_messages(), *read_messages(1))}

    assert [one.id for one in read_messages(2) if one.text in seen] == []
    assert {one.category for one in read_messages(2)} == set(CATEGORIES)
