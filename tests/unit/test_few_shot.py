"""Reviewed cases before a prompt: which are shown, whether they help, and what a flow gets."""

import json
from datetime import timedelta
from itertools import count, pairwise
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hitl_prefect import with_examples
from hitl_prefect.answers import answer_type
from hitl_prefect.cli import main
from hitl_prefect.errors import ConfigError, HitlError, ProviderDenied, RateLimited
from hitl_prefect.evidence import prompt_name
from hitl_prefect.example_sets import ExampleSet, Reviewed, Trial, newest_set, next_number, put_set, set_key
from hitl_prefect.example_trials import aplan_examples, atry_examples
from hitl_prefect.example_turns import question_sha256, show_examples, without_examples
from hitl_prefect.examples import ExamplePool, select_examples, tokens_in
from hitl_prefect.form_description import _prompt
from hitl_prefect.messages import Image, Message
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.people import SecondOpinion
from hitl_prefect.policy import Policy
from hitl_prefect.prompting import shown_as_turns
from hitl_prefect.providers import scripted
from hitl_prefect.providers.scripted import ScriptedProvider, Step
from hitl_prefect.stakes import is_doubtful
from hitl_prefect.stores import FolderStore
from hitl_prefect.training import lesson_of
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome

CODES = {"parcel": "D-2", "invoice": "B-7", "password": "A-1"}
Code = Literal["A-1", "B-7", "D-2", "?"]
WON = Trial(agreed_both=0, only_with=9, only_without=0, agreed_neither=0, unanswered=0)
LOST = Trial(agreed_both=9, only_with=3, only_without=2, agreed_neither=0, unanswered=0)
OPENINGS = ("Help!", "Good morning, I worry.", "Second mail already:", "Sorry to ask.", "URGENT", "Hi team,")
ENDINGS = (
    "{} went to Lisbon instead of Porto",
    "why does nobody answer about {}?",
    "my neighbour got {} and keeps it",
    "{} vanished on Thursday",
    "the app shows no {} at all",
    "two times {} and no word from you",
    "I would rather forget {} altogether",
)


def case(name: str, prompt: str, answer: str = "?", *, corrected: bool = False) -> Reviewed:
    return Reviewed(case_id=name, prompt=prompt, answer=answer, corrected=corrected)


def names(picked: Any) -> list[str]:
    return [one.case_id for one in picked]


# Which are shown.

MAILS = (
    case("a", "Where is my parcel? It should have come on Monday.", "D-2"),
    case("b", "I forgot the password of my account.", "A-1"),
    case("c", "The parcel never arrived at our house in Kent.", "D-2"),
    case("d", "Please send the invoice of March once more.", "B-7"),
    case("e", "Our parcel came broken, with a wet box.", "R-9"),
)


def test_the_most_alike_are_shown_by_case_id():
    """A provider's cache wants the same examples in the same order, whatever they are like."""
    picked = select_examples("My parcel has not arrived at home", MAILS, k=3)

    assert names(picked) == ["a", "c", "e"]
    assert picked == select_examples("My parcel has not arrived at home", MAILS[::-1], k=3)


def test_neither_the_case_itself_nor_nearly_the_same_is_shown():
    """It would give the answer away."""
    twin = case("twin", "Where is my parcel?  It should have come on monday!", "D-2")

    picked = select_examples(MAILS[0].prompt, (*MAILS, twin), k=6)

    assert names(picked) == ["b", "c", "d", "e"]


def test_two_that_are_nearly_the_same_are_not_both_shown():
    twin = case("twin", MAILS[2].prompt.upper(), "D-2")

    assert len({"c", "twin"} & set(names(select_examples("My parcel?", (*MAILS, twin), k=6)))) == 1


def test_a_corrected_case_comes_before_one_that_was_right():
    pair = [
        case("right", "The parcel is late, says Bob."),
        case("wrong", "The parcel is slow, says Eve.", corrected=True),
    ]

    assert names(select_examples("The parcel is late", pair, k=1)) == ["wrong"]


def test_answers_are_balanced():
    """Of two like the case, the one whose answer is not shown yet."""
    alike = [
        case("one", "The parcel is late by a week", "D-2"),
        case("two", "My parcel comes late, one week or so", "D-2"),
        case("off", "The parcel is late, pay us the week", "R-9"),
    ]

    picked = select_examples("The parcel is late by one week or so", alike, k=2)

    assert {one.answer for one in picked} == {"D-2", "R-9"}


def test_no_more_is_shown_than_the_budget_takes_and_what_is_too_long_makes_room_for_others():
    long = case("long", "parcel " * 400, "D-2")

    picked = select_examples("My parcel?", (*MAILS, long), k=6, max_tokens=40)

    assert 0 < sum(tokens_in(one.prompt, json.dumps(one.answer)) for one in picked) <= 40
    assert "long" not in names(picked)


@pytest.mark.parametrize("prompt", ["", "!!!", "\x00\u202e", "日本語の荷物"])
def test_any_prompt_can_be_asked_about(prompt):
    assert len(select_examples(prompt, MAILS, k=2)) == 2
    assert select_examples(prompt, ()) == ()
    assert names(select_examples("x", [case("odd", prompt)])) == ["odd"]


def test_at_least_one_example_of_one_token():
    with pytest.raises(ConfigError, match="k=0"):
        ExamplePool(MAILS).select("?", k=0)


# How they are shown.

HASTE = Policy(second_opinion=SecondOpinion(words_per_minute=600))
PLAIN = (Message(role="system", content="Give the code."), Message(role="user", content="My parcel?"))


def test_a_prompt_with_examples_is_the_same_question_and_another_prompt():
    """So the case stays the same, and evidence of a bar begins anew with each set."""
    one, two = ([(MAILS[place].prompt, "D-2")] for place in (0, 2))
    shown = [
        show_examples(PLAIN, one, number=1),
        show_examples(PLAIN, two, number=1),
        show_examples(PLAIN, one, number=2),
    ]
    prompts = [prompt_name(CaseRecord.of(a_case(prompt=prompt))) for prompt in (PLAIN, *shown)]

    assert {question_sha256(prompt) for prompt in shown} == {a_case(prompt=PLAIN).prompt_sha256}
    assert [prompts.index(name) for name in prompts] == [0, 1, 1, 3]


@given(
    systems=st.lists(st.text(), max_size=3),
    asked=st.text(),
    examples=st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=3),
    number=st.integers(1, 10**7),
)
def test_the_prompt_without_its_examples_is_what_it_was(systems, asked, examples, number):
    plain = (*(Message(role="system", content=text) for text in systems), Message(role="user", content=asked))

    assert without_examples(show_examples(plain, examples, number=number)) == plain


def test_a_conversation_of_several_turns_has_no_place_for_examples():
    turns = (*PLAIN, Message(role="assistant", content="D-2"), Message(role="user", content="Sure?"))

    assert show_examples(turns, [("a", "b")], number=1) == turns
    assert without_examples(turns) == turns


def test_the_reviewer_and_the_training_files_see_the_case_without_examples():
    shown = show_examples(PLAIN, [("An earlier one. " * 100, "D-2")], number=1)
    record = a_case(prompt=shown)

    assert _prompt(record) == _prompt(a_case(prompt=PLAIN))
    verdict = a_verdict(decided_at=NOON + timedelta(seconds=1))
    assert not is_doubtful(verdict, record, a_generation(), a_score(), HASTE)
    assert lesson_of(an_outcome(case=CaseRecord.of(record))).messages == PLAIN


def test_an_answer_is_shown_as_the_model_writes_it_and_only_where_it_fits_the_type():
    class Bill(BaseModel):
        vendor: str
        total: float

    bills = (
        Reviewed(case_id="1", prompt="a", answer={"total": 2.5, "vendor": "Acmé"}),
        Reviewed(case_id="2", prompt="b", answer="old"),
    )

    assert shown_as_turns(bills, answer_type(Bill)) == [("a", '{"vendor": "Acmé", "total": 2.5}')]
    assert shown_as_turns(MAILS[:1], answer_type(Code)) == [(MAILS[0].prompt, '{"answer": "D-2"}')]


# Whether they help.


@pytest.mark.parametrize(
    ("only_with", "only_without", "p_value", "wins"),
    [
        (0, 0, 1.0, False),
        (5, 0, 1 / 32, True),
        (4, 0, 1 / 16, False),
        (9, 1, 11 / 1024, True),
        (1, 9, 1023 / 1024, False),
    ],
)
def test_examples_win_where_chance_would_not_do_as_well(only_with, only_without, p_value, wins):
    trial = Trial(agreed_both=3, only_with=only_with, only_without=only_without, agreed_neither=3, unanswered=0)

    assert (trial.p_value, trial.wins) == (p_value, wins)


class Copying(ScriptedProvider):
    """Knows no code, and copies that of an example about the same thing; some calls fail."""

    def __init__(self, *, failing: range = range(0), error: HitlError | None = None) -> None:
        super().__init__(["never played"])
        self._asked, self._failing, self._error = count(), failing, error

    async def generate(self, request, **_):
        self.requests.append(request)
        if next(self._asked) in self._failing and self._error is not None:
            raise self._error
        *before, asked = request.messages
        thing = next(one for one in CODES if one in asked.text)
        copied = [answer.text for user, answer in pairwise(before) if thing in user.text]
        text = json.dumps({**json.loads(copied[0] if copied else json.dumps({"answer": "?"})), "confidence": 0.5})
        return Step(text=text).play(self.model)


@pytest.fixture
def copying(monkeypatch):
    model = Copying()
    monkeypatch.setitem(scripted._registered, "copying", model)
    return model


def decided(number: int, prompt: str, answer: str, **changes: Any) -> Any:
    """A draft that said something else, corrected after a minute."""
    verdict = a_verdict(decision="edit", answer=answer, decided_at=NOON + timedelta(minutes=1))
    facts = {
        "case": CaseRecord.of(a_case(id=f"c{number:03}", task="mail", prompt=prompt)),
        "generation": a_generation(answer="?", text="?"),
        "route": a_route(action="review", reason="below_bar", propensity=1),
        "review": a_review(verdict),
        "decision": "edit",
        "final_answer": answer,
        "decided_by": "human",
    }
    return an_outcome(**{**facts, **changes})


def all_mails() -> list[tuple[str, str]]:
    return [
        (f"{opening} {ending.format(thing)}", code)
        for thing, code in CODES.items()
        for opening in OPENINGS
        for ending in ENDINGS
    ]


def stored_in(folder: Any, *outcomes: Any) -> str:
    store = FolderStore(folder)
    for outcome in outcomes:
        store.put_once(outcome_key(outcome), outcome.stored)
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def mails(tmp_path_factory):
    """A store with 126 reviewed mails, three of which are of no use here."""
    picture = (Message(role="user", content=("parcel", Image(url="https://example.com/a.png"))),)
    reviewed = [decided(number, *mail) for number, mail in enumerate(all_mails())]
    other = [
        decided(900, "?", "D-2", case=CaseRecord.of(a_case(id="c900", task="mail", prompt=picture))),
        decided(901, "parcel of old", "no code any more"),
        decided(902, "parcel, unread", "D-2", decision="approve", review=a_review(a_verdict(answer="D-2"))),
    ]
    return stored_in(tmp_path_factory.mktemp("mails"), *reviewed, *other)


async def test_a_plan_parts_reviewed_cases_and_asks_nobody(mails, copying):
    plan = await aplan_examples(mails, task="mail", answer=Code)

    held = {one.messages[-1].text for one in plan.held_out}
    assert not held & {one.prompt for one in plan.reviewed}
    assert len(held) + len(plan.reviewed) == len(all_mails())
    assert (plan.calls, plan.unfit, copying.requests) == (2 * len(held), 2, [])
    assert 25 <= len(held) <= 50


async def test_audits_are_tried_on_and_never_shown(tmp_path):
    audit = {"route": a_route(action="review", reason="audit", propensity=0.1), "decided_by": "audit"}
    store = stored_in(
        tmp_path, *(decided(number, *mail, **(audit if number % 2 else {})) for number, mail in enumerate(all_mails()))
    )
    plan = await aplan_examples(store, task="mail", answer=Code)

    assert not [one.case_id for one in plan.reviewed if int(one.case_id[1:]) % 2]
    assert len(plan.held_out) > len(all_mails()) / 2


async def test_too_few_reviews_are_told_before_anybody_is_asked(tmp_path):
    store = stored_in(tmp_path, *(decided(number, *mail) for number, mail in enumerate(all_mails()[:8])))

    with pytest.raises(ConfigError, match="review more first"):
        await aplan_examples(store, task="mail", answer=Code)


async def test_examples_that_help_are_found_to_win_and_stored(mails, copying, tmp_path):
    plan = await aplan_examples(mails, task="mail", answer=Code, most=30)
    found = await atry_examples(plan, model="scripted:copying", k=4)

    assert (len(copying.requests), found.trial.asked, found.trial.only_without) == (60, 30, 0)
    assert found.trial.wins
    assert newest_set(plan.store, "mail", "scripted:copying") == found
    assert newest_set(plan.store, "mail", "scripted:other") is None
    assert max(len(one.messages) for one in copying.requests) == 1 + 2 * 4 + 1


async def test_examples_that_change_nothing_do_not_win(mails, monkeypatch):
    """The model knows it all without."""
    monkeypatch.setitem(scripted._registered, "knowing", ScriptedProvider(['{"answer": "D-2", "confidence": 0.9}']))
    plan = await aplan_examples(mails, task="mail", answer=Code, most=20)

    found = await atry_examples(plan, model="scripted:knowing")

    assert (found.trial.only_with, found.trial.only_without, found.trial.wins) == (0, 0, False)


async def test_a_case_that_could_not_be_asked_both_ways_counts_for_nothing(mails, monkeypatch):
    tired = Copying(failing=range(21, 40), error=ProviderDenied("refused"))
    monkeypatch.setitem(scripted._registered, "tired", tired)
    dead = Copying(failing=range(40), error=ProviderDenied("refused"))
    monkeypatch.setitem(scripted._registered, "dead", dead)
    plan = await aplan_examples(mails, task="mail", answer=Code, most=20)

    found = await atry_examples(plan, model="scripted:tired", in_flight=1)
    with pytest.raises(ConfigError, match="refused"):
        await atry_examples(plan, model="scripted:dead")

    assert (found.trial.asked, found.trial.unanswered) == (10, 10)


async def test_a_call_that_was_made_too_soon_is_made_again(mails, monkeypatch):
    busy = Copying(failing=range(5), error=RateLimited("slow down"))
    monkeypatch.setitem(scripted._registered, "busy", busy)
    plan = await aplan_examples(mails, task="mail", answer=Code, most=20)

    found = await atry_examples(plan, model="scripted:busy")

    assert (len(busy.requests), found.trial.asked, found.trial.unanswered) == (45, 20, 0)


def test_the_command_tells_how_often_it_would_ask_and_asks_with_yes(mails, copying, capsys):
    arguments = ["examples", mails, "--task", "mail", "--model", "scripted:copying", "--most", "20"]
    arguments += [part for choice in ("A-1", "B-7", "D-2", "?") for part in ("--choice", choice)]
    with pytest.raises(SystemExit) as told:
        main(arguments)
    assert (told.value.code, copying.requests) == (0, [])
    with pytest.raises(SystemExit) as asked:
        main([*arguments, "--yes"])

    said = capsys.readouterr().out
    assert (asked.value.code, len(copying.requests)) == (0, 40)
    assert "It would ask scripted:copying 40 times. Nobody was asked yet" in said
    assert "so they are shown from now on." in said


# What a flow gets.


def a_set(number: int = 1, trial: Trial = WON, **changes: Any) -> ExampleSet:
    facts = {"task": "mail", "model": "openai:m", "k": 2, "max_tokens": 500, "reviewed": MAILS}
    return ExampleSet(**{"number": number, "trial": trial, **facts, **changes})


def in_flow(store: str, prompt: Any = "My parcel has not arrived at home", **changes: Any) -> Any:
    return with_examples(prompt, **{"store": store, "task": "mail", "model": "openai:m", "answer": str, **changes})


def test_a_flow_shows_examples_where_they_won(tmp_path):
    put_set(FolderStore(tmp_path), a_set())
    told = "The turns before the last one are earlier cases, answered as people decided. (Examples: set 1.)"

    shown = in_flow(f"folder:{tmp_path}")

    assert [(one.role, one.text) for one in shown] == [
        ("system", told),
        ("user", MAILS[2].prompt),
        ("assistant", '{"answer": "D-2"}'),
        ("user", MAILS[4].prompt),
        ("assistant", '{"answer": "R-9"}'),
        ("user", "My parcel has not arrived at home"),
    ]
    assert in_flow(f"folder:{tmp_path}", shown) == shown


@pytest.mark.parametrize(
    ("stored", "changes"),
    [
        ([], {}),
        ([a_set(trial=LOST)], {}),
        ([a_set(), a_set(2, LOST)], {}),
        ([a_set(model="openai:other")], {}),
        ([a_set()], {"answer": int}),
        ([a_set()], {"task": "invoices"}),
    ],
    ids=["none", "lost", "lost since", "another model", "another type", "another task"],
)
def test_a_flow_gets_its_prompt_back_where_examples_have_not_won(tmp_path, stored, changes):
    for one in stored:
        put_set(FolderStore(tmp_path), one)

    assert in_flow(f"folder:{tmp_path}", **changes) == "My parcel has not arrived at home"


def test_sets_are_numbered_and_a_broken_one_is_named(tmp_path):
    store = FolderStore(tmp_path)
    assert next_number(store, "mail") == 1
    put_set(store, a_set(9))
    assert next_number(store, "mail") == 10
    store.put_once(set_key("mail", 10), b'{"wins": true}')

    with pytest.raises(ConfigError, match=r"000010\.json' holds no set of examples"):
        in_flow(f"folder:{tmp_path}")
