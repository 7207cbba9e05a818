"""P(True): the odds of one word against another."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.errors import ProviderDenied
from hitl_prefect.models import Part
from hitl_prefect.protocols import Request, Token
from hitl_prefect.providers.scripted import Step
from hitl_prefect.scorers import PTrue
from hitl_prefect.scorers.odds import odds
from tests.unit.seating import PRICE_USD, requests_to, seated


def said(*tokens: tuple[str, float], top: tuple[tuple[str, float], ...] = (), **changes) -> Step:
    """A reply whose last token has alternatives, all as probabilities."""
    logs = tuple((text, log(probability)) for text, probability in tokens)
    alternatives = tuple((text, log(probability)) for text, probability in top)
    return Step(
        text="".join(text for text, _ in tokens), tokens=logs, top=(*((),) * (len(tokens) - 1), alternatives), **changes
    )


async def look(*steps, **settings) -> Part:
    return await PTrue(**settings).look(seated(steps))


async def test_true_like_tokens_count_against_false_like_ones():
    """0.5 + 0.1 for True, 0.2 for False; what says neither is left out."""
    step = said(("True", 0.5), top=(("True", 0.5), (" true", 0.1), ("FALSE", 0.2), ("Yes", 0.1)))

    found = await look(step)

    assert found == Part(name="p_true", confidence=found.confidence, cost_usd=PRICE_USD)
    assert found.confidence == pytest.approx(0.75)


async def test_a_false_answer_has_low_odds():
    step = said(("False", 0.9), top=(("False", 0.9), ("True", 0.1)))

    assert (await look(step)).confidence == pytest.approx(0.1)


async def test_the_first_word_counts():
    """Also after a line break, and where the reply runs into the token limit after it."""
    step = said(("\n", 0.9), (" True", 0.6), top=((" True", 0.6), (" False", 0.2)), truncated=True)

    assert (await look(step)).confidence == pytest.approx(0.75)


@pytest.mark.parametrize("words", [("Un", "true"), ("Not", " true"), ("It", " is", " not", " True")])
async def test_a_word_that_only_holds_true_is_no_verdict(words):
    assert (await look(said(*((word, 0.9) for word in words)))).confidence is None


@pytest.mark.parametrize(("word", "confidence"), [("True", 0.8), ("False", 0.2)])
async def test_without_alternatives_all_other_mass_counts_against_the_word(word, confidence):
    assert (await look(said((word, 0.8)))).confidence == pytest.approx(confidence)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Step(text="True"), "scripted:drafter gives no token log probabilities; ask another model, or use `judge`"),
        (said(("Perhaps", 0.9)), "scripted:drafter began with neither True nor False"),
        (said(("True", 0.9), refusal=True), "scripted:drafter declined to say whether the answer is right"),
    ],
)
async def test_what_tells_no_odds_is_no_confidence_but_a_reason(step, reason):
    assert await look(step) == Part(name="p_true", confidence=None, reason=reason, cost_usd=PRICE_USD)


async def test_a_provider_that_fails_is_the_callers_to_catch():
    with pytest.raises(ProviderDenied):
        await look(ProviderDenied("no key"))


async def test_it_asks_for_one_word_with_its_alternatives():
    sitting = seated([said(("True", 0.9))])
    await PTrue().look(sitting)
    [asked] = requests_to(sitting)

    assert asked == Request(
        messages=asked.messages,
        answer=str,
        structured=False,
        ask_confidence=False,
        max_tokens=16,
        logprobs=True,
        top_logprobs=20,
    )
    assert asked.messages[0].text.endswith("Is the proposed answer right? Write one word, True or False.")


async def test_another_model_can_be_asked():
    sitting = seated({"openai:other": [said(("True", 0.7))]}, second="openai:other")

    assert (await PTrue(model="second").look(sitting)).name == "p_true:second"
    assert len(requests_to(sitting, "openai:other")) == 1


LOGPROBS = st.floats(-10_000, 0)


@given(st.sampled_from(["True", "False"]), LOGPROBS, st.lists(st.tuples(st.sampled_from(" aTF"), LOGPROBS)))
def test_odds_are_a_probability(word, logprob, top):
    found = odds(Token(text=word, logprob=logprob, top=tuple(top)), lambda text: text.strip()[:1] == "T")

    assert found is not None
    assert 0 <= found <= 1


@given(LOGPROBS, LOGPROBS, LOGPROBS)
def test_a_likelier_true_never_lowers_the_odds(false, one, other):
    low, high = (
        odds(Token(text="False", logprob=false, top=(("True", true),)), {"True": True, "False": False}.get)
        for true in sorted((one, other))
    )

    assert low <= high
