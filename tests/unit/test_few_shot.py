"""Reviewed cases before a prompt: whether they help, and what a flow gets."""

import json
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from hitl_prefect import with_examples
from hitl_prefect.cli import main
from hitl_prefect.errors import ConfigError, HitlError, ProviderDenied, RateLimited
from hitl_prefect.example_sets import ExampleSet, Trial, newest_set, next_number, put_set, set_key
from hitl_prefect.example_trials import aplan_examples, atry_examples
from hitl_prefect.messages import Image, Message
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.providers import scripted
from hitl_prefect.providers.scripted import ScriptedProvider, Step
from hitl_prefect.stores import FolderStore
from tests.unit.mails import MAILS, Code
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_verdict, an_outcome

CODES = {"parcel": "D-2", "invoice": "B-7", "password": "A-1"}
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


def test_two_trials_that_end_at_once_are_both_kept(tmp_path):
    """What the second one asked of the model is not lost."""
    store = FolderStore(tmp_path)
    first, second = put_set(store, a_set()), put_set(store, a_set(trial=LOST))

    assert (first, second) == (a_set(), a_set(2, LOST))
    assert newest_set(store, "mail", "openai:m") == second


def test_sets_are_numbered_and_a_broken_one_is_named(tmp_path):
    store = FolderStore(tmp_path)
    assert next_number(store, "mail") == 1
    put_set(store, a_set(9))
    assert next_number(store, "mail") == 10
    store.put_once(set_key("mail", 10), b'{"wins": true}')

    with pytest.raises(ConfigError, match=r"000010\.json' holds no set of examples"):
        in_flow(f"folder:{tmp_path}")
