"""Scorers: how sure are we of a draft? One small class per way to tell.

A policy names them: those that only read the draft by a word (`"stated"`, `"logprob"`), those that ask a model by a
word or with their settings (`"agreement"`, `Agreement(model="anthropic:claude-haiku-5-5", samples=2)`).
"""

from typing import Annotated

from pydantic import Field

from hitl_prefect.scorers.agreement import Agreement
from hitl_prefect.scorers.base import SECOND, Asker, Asking
from hitl_prefect.scorers.decisions import Decisions
from hitl_prefect.scorers.judge import Judge
from hitl_prefect.scorers.learned import Learned
from hitl_prefect.scorers.p_true import PTrue
from hitl_prefect.scorers.reading import NEVER_GIVEN, ONLY_WHERE_NAMED, READING, ReadingName
from hitl_prefect.scorers.semantic_entropy import SemanticEntropy

__all__ = [
    "ASKING",
    "NEVER_GIVEN",
    "ONLY_WHERE_NAMED",
    "READING",
    "SECOND",
    "Agreement",
    "Asker",
    "Asking",
    "AskingScorer",
    "Decisions",
    "Judge",
    "Learned",
    "PTrue",
    "ReadingName",
    "SemanticEntropy",
]

ASKING = ("agreement", "semantic_entropy", "p_true", "judge", "decisions")
"""The words for the scorers that ask, with their settings' defaults."""

AskingScorer = Annotated[Agreement | PTrue | SemanticEntropy | Judge | Decisions | Learned, Field(discriminator="kind")]
"""Any scorer that asks a model, with its settings; as JSON it is told by its `kind`."""
