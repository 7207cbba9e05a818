"""Measurements of the reviewing: which cases, which draft, and what counts as caught."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le, MultipleOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from hitl_prefect.answers import answer_type
from hitl_prefect.briefs import Brief
from hitl_prefect.fields import differences
from hitl_prefect.form_description import describe
from hitl_prefect.mistakes import mistakes
from hitl_prefect.outcomes import Probe, RefusedAnswer
from hitl_prefect.panel import Ask, Heard, Silence, Sitting
from hitl_prefect.people import Probes
from hitl_prefect.policy import Policy
from hitl_prefect.probing import Mistake, exercise, mistake_in, mistaken, probe_for
from tests.unit.making import NOON, a_case, a_generation, a_route, a_score, a_verdict


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    name: str
    total: float = Field(ge=0, le=100)


class Card(BaseModel):
    kind: Literal["card"]
    paid: bool


class Cash(BaseModel):
    kind: Literal["cash"]
    change: int | None = None


class Order(BaseModel):
    lines: list[Line]
    paid_by: Card | Cash = Field(discriminator="kind")
    tags: set[str] = set()
    facts: dict[str, int] = {}


class Rounded(BaseModel):
    """A type that mends what it reads: small changes are undone."""

    total: int

    @field_validator("total")
    @classmethod
    def _to_hundreds(cls, value: int) -> int:
        return round(value, -2)


class Even(BaseModel):
    total: int
    due: dt.date

    @field_validator("total")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


def seeded(answer: Any, kind: Any, **case: Any) -> Any:
    """The answer with one thing made wrong."""
    made = mistaken(a_case(answer=kind, **case), a_generation(answer=answer))
    return None if made is None else made.answer


@pytest.mark.parametrize(
    ("kind", "answer", "wrong"),
    [
        (Literal["a", "b"], "a", "b"),
        (Colour, "red", "blue"),
        (bool, True, False),
        (int, 12, 22),
        (float, 0.6, 0.7),
        (Annotated[float, Ge(0), Le(1)], 1.0, 0.0),
        (Annotated[float, Ge(0.5), Le(1)], 1.0, 0.9),
        (Annotated[int, Ge(10), Le(12)], 12, 11),
        (Annotated[int, MultipleOf(5)], 20, 25),
        (Decimal, "12.50", "22.50"),
        (dt.date, "2026-01-31", "2026-02-07"),
        (dt.datetime, "2026-01-31T10:00:00Z", "2026-02-07T10:00:00Z"),
        (str, "INV-0012", "INV-0022"),
        (str, "since 2019", "since 2011"),
        (str, "Yes", "No"),
        (str, "ACME", "AMCE"),
        (str, "The goods were delivered in time.", "The goods were not delivered in time."),
        (str, "The goods have not yet come to us.", "The goods have yet come to us."),
        (str, "Send the goods back soon. Refund him.", "Send the goods back soon."),
        (list[Literal["a", "b"]], ["a"], ["b"]),
        (tuple[int, bool], [1, True], [2, True]),
        (dict[str, int], {"a": 1}, {"a": 2}),
        (Rounded, {"total": 300}, {"total": 400}),
        (dt.date, "9999-12-31", "1999-12-31"),
    ],
)
def test_one_thing_is_made_wrong(kind, answer, wrong):
    """Another member, number, day or digit; else words."""
    assert seeded(answer, kind, id="c3") == wrong


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (Literal["only"], "only"),
        (list[int], []),
        (set[str], ["a"]),
        (int | None, None),
        (str, ""),
        (str, "aa"),
        (str, "Send the goods back at once."),
        (Annotated[str, Field(pattern="^ACME$")], "ACME"),
        (Annotated[int, Ge(3), Le(3)], 3),
    ],
)
def test_where_nothing_can_be_made_wrong_there_is_no_seeded_draft(kind, answer):
    """One choice, no member, no room within the bounds."""
    case, generation = a_case(answer=kind), a_generation(answer=answer)

    assert mistaken(case, generation) is None
    assert probe_for(case, generation, Policy(probes=Probes(seeded=1))) is None


ORDERS = st.builds(
    Order,
    lines=st.lists(st.builds(Line, name=st.text(max_size=9), total=st.floats(0, 100)), max_size=3),
    paid_by=st.one_of(
        st.builds(Card, kind=st.just("card"), paid=st.booleans()),
        st.builds(Cash, kind=st.just("cash"), change=st.one_of(st.none(), st.integers())),
    ),
    tags=st.sets(st.text(max_size=3), max_size=2),
    facts=st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(st.one_of(ORDERS, st.builds(Even, total=st.integers().map(lambda n: 2 * n), due=st.dates())))
def test_a_seeded_draft_is_valid_and_wrong_in_exactly_one_field(value):
    """Nested models, lists, unions and the type's own validators; the same each time; with a sha256 of its own."""
    reader = answer_type(type(value))
    case = a_case(answer=type(value))
    draft = a_generation(answer=reader.as_json(value))
    made = mistaken(case, draft)

    assert made == mistaken(case, draft)
    assert made is not None or isinstance(value, Order)
    if made is not None:
        reader.from_json(made.answer)
        assert len(list(differences(draft.answer, made.answer))) == 1
        assert made.sha256 != draft.sha256


def test_what_is_made_wrong_differs_from_case_to_case():
    """Nobody learns to look at one field only."""
    answer = {"lines": [{"name": "Bolts", "total": 12.5}, {"name": "Nuts", "total": 3.0}], "facts": {"a": 7}}
    answer |= {"paid_by": {"kind": "card", "paid": True}, "tags": []}
    paths = {mistake_in(answer, seeded(answer, Order, id=f"c{n}")).path for n in range(40)}

    assert paths == {"lines.0.total", "lines.1.total", "facts.a", "paid_by.paid"}


@pytest.mark.parametrize(
    ("verdict", "caught"),
    [
        ({"decision": "approve", "answer": {"total": 22.5, "vendor": "a"}}, False),
        ({"decision": "edit", "answer": {"total": 12.5, "vendor": "a"}}, True),
        ({"decision": "edit", "answer": {"total": 13, "vendor": "a"}}, True),
        ({"decision": "edit", "answer": {"total": 22.5, "vendor": "b"}}, False),
        ({"decision": "edit", "answer": {}}, True),
        ({"decision": "reject", "answer": None}, True),
        ({"decision": "retry", "answer": None}, True),
        ({"decision": "escalate", "answer": None}, True),
    ],
)
def test_a_mistake_is_caught_where_no_answer_ships_that_says_it(verdict, caught):
    """An edit of another field lets it pass."""
    assert Mistake(path="total", value=22.5).caught_by(a_verdict(role="seeded", **verdict)) is caught


def test_the_person_is_told_what_it_was_without_being_told_what_is_right():
    """The field, and whether it passed; neither value."""
    draft, wrong = {"total": 12.5}, {"total": 22.5}
    passed = Probe(kind="seeded", draft=wrong, verdict=a_verdict(role="seeded", answer=wrong))
    caught = Probe(kind="seeded", draft=wrong, verdict=a_verdict(role="seeded", decision="edit", answer=draft))
    told = [exercise(passed, draft), exercise(caught, draft)]

    before, after = (
        "that was an exercise: its field ` total ` was made wrong on purpose; ",
        ". This is the model's own draft.",
    )
    assert told == [f"{before}you let it pass{after}", f"{before}you did not let it pass{after}"]


def test_the_shares_are_those_of_the_policy_and_stick_to_the_case():
    """A case that is run again is measured again in the same way; a further attempt never is."""
    policy = Policy(probes=Probes(blind=0.25, seeded=0.25))
    cases = [a_case(id=f"c{n}", answer=dict[str, float]) for n in range(400)]
    drawn = [probe_for(case, a_generation(), policy) for case in cases]
    again = [probe_for(case, a_generation(text="another"), policy) for case in cases]

    assert (drawn == again, drawn.count("blind"), drawn.count("seeded")) == (True, 98, 103)
    assert {probe_for(case, a_generation(attempt=2), policy) for case in cases} == {None}


def seated(*said: Any, **policy: Any) -> Sitting:
    """A sitting over a draft whose review begins with a seeded draft, after what was said."""
    probes = {"probes": Probes(seeded=1), "escalate_to": ("eve",), **policy}
    case, generation = a_case(answer=dict[str, float]), a_generation()
    sitting = Sitting(case=case, generation=generation, score=a_score(), policy=Policy(**probes))
    heard = tuple(Heard(ask=Ask(role="seeded"), said=one, shown={"total": 22.5}) for one in said)
    return sitting.model_copy(update={"heard": heard})


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ((), "seeded"),
        ((None,), "seeded"),
        ((RefusedAnswer(errors=("no",), typed={}, form_sha256="f" * 64, decided_at=NOON),), "seeded"),
        ((Silence(at=NOON, meant="deadline"),), "escalated"),
        ((a_verdict(role="seeded"),), "reviewer"),
        ((a_verdict(role="seeded", decision="escalate", answer=None),), "reviewer"),
        ((a_verdict(role="seeded", decision="retry", answer=None),), "reviewer"),
    ],
)
def test_a_measurement_ends_with_a_verdict_and_decides_nothing(said, role):
    """What did not apply is asked for again; where nobody comes, the case is handed over without one."""
    step = seated(*said, on_deadline="escalate").next_step()

    assert isinstance(step, Ask)
    assert step.role == role


def test_whoever_was_measured_may_answer_the_ordinary_form_too():
    """The measurement is no first answer, so that its person is not barred from one."""
    sitting = seated(a_verdict(role="seeded"), quorum=2)
    asks = [sitting.next_step(), sitting.model_copy(update={"heard": ()}).next_step()]

    assert [(ask.role, ask.not_these) for ask in asks] == [("reviewer", ()), ("seeded", ())]
    assert (sitting.verdicts, sitting.probes[0].draft) == ((), {"total": 22.5})


def test_what_was_handed_over_before_is_not_measured():
    """Whom it was handed to decides at once."""
    sitting = seated().model_copy(update={"escalated_before_by": ()})

    assert sitting.next_step().role == "escalated"


def test_a_number_without_an_end_has_no_near_one():
    """JSON holds none, but a dictionary of Python may."""
    assert list(mistakes({"a": float("inf"), "b": 1}, {"properties": {"b": {"const": 1}}}, "c1")) == []


def test_of_a_draft_that_differs_in_more_than_one_place_no_mistake_is_known():
    """Nobody can say that it was caught."""
    assert mistake_in({"a": 1, "b": 2}, {"a": 2, "b": 3}) is None


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (
            Probe(kind="blind", verdict=a_verdict(role="blind")),
            "` ada `: the form before this one came without a draft, to measure reviewing. Only this one decides.",
        ),
        (
            Probe(kind="blind", verdict=a_verdict(role="blind", reviewer="")),
            "Whoever answered the form before: the form before this one came without a draft, to measure reviewing. "
            "Only this one decides.",
        ),
        (
            Probe(kind="seeded", draft={"total": 1, "vendor": "x"}, verdict=a_verdict(role="seeded")),
            "` ada `: the draft before this one was an exercise. Only this one decides.",
        ),
    ],
    ids=["blind", "without a name", "changed since"],
)
def test_the_next_form_tells_whoever_was_measured_by_name(probe, said):
    """Everybody sees the form, and only one of them knows what it is about."""
    brief = Brief(
        case=a_case(), generation=a_generation(), score=a_score(), route=a_route(), policy=Policy(), probe=probe
    )

    assert said in describe(brief).split("\n\n")
