"""Why a person is asked, in words for that person."""

from typing import TYPE_CHECKING

from hitl_prefect.inert import code_span

if TYPE_CHECKING:
    # Only for the names: the models take 0.1 s to load, and `hitl inbox` needs no other of them.
    from hitl_prefect.models import RouteReason

__all__ = ["reason_in_words"]

_TOLD = {
    "blind": "Without a draft, to measure reviewing.",
    "by_confidence": "The model is unsure, or it is checked although it is sure. Which of the two is not told.",
}
"""What is told in place of a reason that would spoil a measurement."""

_WHY: dict["RouteReason", str] = {
    "above_bar": "The confidence is at or above the bar.",
    "below_bar": "The confidence is below the bar.",
    "audit": "Drawn at random, so that the model's own errors are seen.",
    "rule": "A rule of the policy asks for a person.",
    "cold_start": "There is no bar yet for this kind of case: a person sees every one.",
    "no_score": "Nobody could tell how sure the model is.",
    "invalid": "The model's answer does not fit the answer type.",
    "refused": "The model declined to answer.",
    "truncated": "The model's answer was cut off.",
    "drift": "The bar keeps its promise no more, as what people decided since then shows.",
}


def reason_in_words(reason: str) -> str:
    """Why a person is asked, as a sentence; a reason of another version as it stands, in code.

    >>> reason_in_words("blind")
    'Without a draft, to measure reviewing.'
    """
    told = (*_WHY.items(), *_TOLD.items())
    return next((words for known, words in told if known == reason), code_span(reason))
