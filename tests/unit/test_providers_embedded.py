"""The classifier inside the package."""

import subprocess
import sys
from enum import StrEnum
from typing import Literal

import pytest
from pydantic import BaseModel

from hitl_prefect.drafts import ask
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.protocols import Request
from hitl_prefect.providers import provider_for
from hitl_prefect.providers.embedded import EmbeddedProvider, categories, held_out_accuracy

Category = Literal["account", "billing", "delivery", "feedback", "refund", "technical"]
CategoryEnum = StrEnum("CategoryEnum", {name.upper(): name for name in categories()})
REFUND = "I want my money back, please refund the order."


class Ticket(BaseModel):
    category: Category


class AnyText(BaseModel):
    category: str


class TwoFields(BaseModel):
    category: Category
    urgent: bool = False


def request(*contents: str, answer: object = Category) -> Request:
    return Request(messages=tuple(Message(role="user", content=content) for content in contents), answer=answer)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Category, '{"answer": "refund"}'),
        (str, '{"answer": "refund"}'),
        (CategoryEnum, '{"answer": "refund"}'),
        (Ticket, '{"category": "refund"}'),
        (AnyText, '{"category": "refund"}'),
    ],
)
async def test_a_category_is_written_as_the_answer_type_wants_it(answer, text):
    reply = await provider_for("embedded:support").generate(request(REFUND, answer=answer))

    assert (reply.text, reply.finish, reply.model, reply.tokens) == (text, "stop", "support", ())
    assert 1 / 6 < reply.probability <= 1


async def test_the_last_message_of_the_user_is_classified():
    provider = EmbeddedProvider()
    both = await provider.generate(request("The app crashes when I log in.", REFUND))
    alone = await provider.generate(request(REFUND))

    assert both == alone


async def test_the_reply_becomes_a_draft_with_the_models_own_probability():
    made = await ask(EmbeddedProvider(), Case(id="c1", task="mail", prompt=REFUND, answer=Ticket))

    assert (made.status, made.answer, made.stated_confidence) == ("ok", {"category": "refund"}, None)
    assert made.probability is not None


@pytest.mark.parametrize(
    "answer", [int, Literal["refund", "other"], TwoFields, list[str], BaseModel], ids=lambda answer: str(answer)
)
async def test_an_answer_type_without_a_place_for_every_category_is_refused(answer):
    """At the first case, not when the missing category comes up."""
    with pytest.raises(ConfigError, match="does not take each of them"):
        await EmbeddedProvider().generate(request(REFUND, answer=answer))


async def test_a_prompt_without_a_user_is_refused():
    with pytest.raises(ConfigError, match="last user message"):
        await EmbeddedProvider().generate(Request(messages=(), answer=Category))


def test_another_name_is_refused():
    with pytest.raises(ConfigError, match="write 'embedded:support'"):
        provider_for("embedded:sentiment")


def test_it_is_right_far_more_often_than_a_guess_and_not_always():
    """A model that is never wrong would show nothing about reviews."""
    assert 0.6 < held_out_accuracy() < 1


def test_it_learns_the_same_in_every_process():
    code = "from hitl_prefect.providers.embedded import held_out_accuracy; print(held_out_accuracy())"

    assert float(subprocess.check_output([sys.executable, "-c", code])) == held_out_accuracy()


def test_scikit_learn_is_loaded_at_the_first_case():
    code = (
        "import sys; from hitl_prefect.providers import provider_for; "
        "provider_for('embedded:support'); print('sklearn' in sys.modules)"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_without_scikit_learn_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[learn\]'"):
        provider_for("embedded:support")


async def test_whoever_reads_along_gets_the_whole_reply_at_once():
    read = []
    reply = await EmbeddedProvider().generate(request(REFUND), on_text=read.append)

    assert read == [reply.text]
