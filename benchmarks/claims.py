"""Every recorded answer to the claims of `hitl_deductive_coding`, put before the shipped scorers.

Three models were asked five prompts about each of 113 claims, ten times at temperature 0. The prompts differ in what
they tell about the study beside the claim, so that four of them are the fifth in other words. Nobody is asked anew: an
asker gives back the recorded raw response to each question, to the letter. The labels are kept as the study kept them:
a code that is not in the codebook is a wrong answer, and no invalid one.
"""

import asyncio
import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hitl_prefect import __version__
from hitl_prefect.drafts import generation_of, request_for
from hitl_prefect.errors import ConfigError, ProviderUnavailable
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.outcomes import CaseRecord, Outcome, Review, Settlement, Versions
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Decided, Question, Reply, Request
from hitl_prefect.scorers import Agreement, AskingScorer, ReadingName
from hitl_prefect.scoring import PolicyScorer

__all__ = ["LEVELS", "MODELS", "OTHERS", "Recordings", "mean_policy", "read_recordings", "scored_claims", "scorers_for"]

MODELS = ("claude-haiku-4-5-20251001", "deepseek-chat", "gpt-4o-mini-2024-07-18")
LEVELS = ("L1", "L2", "L3", "L4", "L5")

OTHERS = "others"
"""The two models that did not draft, asked as one: its first sample is the one's answer, its second the other's."""

_CODE = ("code",)
"""The study graded the code; the theme follows from it."""


class Coded(BaseModel):
    """What the models were asked for; any text, as the study read it."""

    code: str
    theme: str


@dataclass(frozen=True)
class Recordings:
    """What was asked and what came back."""

    prompts: dict[tuple[str, str], str]
    """By level and claim id."""
    gold: dict[str, tuple[str, str]]
    """Code and theme by claim id."""
    replies: dict[tuple[str, str, str, int], str]
    """Raw response by model, level, claim id and run."""
    asked: dict[str, tuple[str, str]] = field(init=False)
    """Level and claim id by prompt."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", {prompt: about for about, prompt in self.prompts.items()})
        if len(self.asked) < len(self.prompts):
            raise ConfigError("two claims have the same prompt: replies are found by the prompt")

    def case(self, level: str, claim: str) -> Case:
        """One claim, with the other levels as variants."""
        return Case(
            id=f"{claim}-{level}",
            task="coding",
            prompt=self.prompts[level, claim],
            variants=tuple(self.prompts[other, claim] for other in LEVELS if other != level),
            answer=Coded,
            metadata={"claim": claim, "level": level},
        )

    def reply(self, model: str, prompt: str, run: int) -> Reply:
        """What a model answered.

        Raises:
            ProviderUnavailable: If nothing was recorded.
        """
        level, claim = self.asked[prompt]
        try:
            return Reply(text=self.replies[model, level, claim, run], finish="stop", model=model)
        except KeyError:
            raise ProviderUnavailable(f"no answer of {model} to {claim} {level} in run {run} was recorded") from None


def read_recordings(data: Path) -> Recordings:
    """All of the folder.

    Raises:
        ConfigError: If the files do not fit together.
        OSError: If one is missing.
    """
    folder = data / "hitl_deductive_coding"
    gold = json.loads((folder / "02_dataset_gold_CI.json").read_text("utf-8"))
    templates = {level: (folder / "prompts" / f"prompt_{level}.txt").read_text("utf-8") for level in LEVELS}
    return Recordings(
        prompts={
            (level, one["paper_id"]): _filled(template, one["input"])
            for level, template in templates.items()
            for one in gold
        },
        gold={one["paper_id"]: (one["labels"]["code"], one["labels"]["theme"]) for one in gold},
        replies={
            (row["model"], row["level"], row["paper_id"], int(row["run"])): row["raw_response"]
            for row in _rows(folder / "predictions.csv.gz")
        },
    )


def _filled(template: str, facts: dict[str, Any]) -> str:
    # Not `format`: the prompt shows a JSON object in braces.
    for name in ("claim", "study_title", "kind", "variables"):
        template = template.replace(f"{{{name}}}", str(facts.get(name, "")))
    return template


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        yield from csv.DictReader(table)


class _Replaying:
    """An `Asker` that gives back what was recorded; a sample of the model that drafted is a further run of it."""

    def __init__(self, recordings: Recordings, request: Request, drafted_by: str) -> None:
        self.request, self.drafted_by = request, drafted_by
        self.second: str | None = None
        self._recordings = recordings

    async def ask(self, request: Request, *, model: str | None = None, sample: int = 0) -> Reply:
        prompt = request.messages[-1].text
        if model == OTHERS:
            return self._recordings.reply(_others(self.drafted_by)[sample - 1], prompt, 1)
        drafted = model in (None, self.drafted_by)
        return self._recordings.reply(model or self.drafted_by, prompt, 1 + sample if drafted else max(1, sample))

    async def decide(
        self,
        messages: tuple[Message, ...],  # noqa: ARG002 - the protocol's
        questions: tuple[Question, ...],  # noqa: ARG002
        *,
        model: str,
    ) -> Decided:
        raise ConfigError(f"{model} was never asked to decide")


def _others(model: str) -> list[str]:
    return [other for other in MODELS if other != model]


def scorers_for(model: str) -> tuple[ReadingName | AskingScorer, ...]:
    """Every shipped scorer that the recordings can answer: chosen by that alone, before any was looked at."""
    return (
        "stated",
        "hedging",
        "schema",
        Agreement(samples=9, fields=_CODE),
        Agreement(variants=True, fields=_CODE),
        *(Agreement(model=other, fields=_CODE) for other in _others(model)),
        *(Agreement(model=other, variants=True, fields=_CODE) for other in _others(model)),
    )


def mean_policy() -> Policy:
    """The plain mean: what the model says, whether the two others agree, whether other wordings give the same."""
    return Policy(
        scorers=(
            "stated",
            Agreement(model=OTHERS, samples=2, fields=_CODE),
            Agreement(variants=True, fields=_CODE),
        ),
        combine="mean",
    )


def scored_claims(recordings: Recordings, model: str, level: str, policy: Policy) -> list[Outcome[Any]]:
    """The draft of run 1 to each claim, scored as the policy says, and judged by the gold code."""
    return asyncio.run(_scored_claims(recordings, model, level, policy))


async def _scored_claims(recordings: Recordings, model: str, level: str, policy: Policy) -> list[Outcome[Any]]:
    return [await _scored(recordings, model, recordings.case(level, claim), policy) for claim in recordings.gold]


async def _scored(recordings: Recordings, model: str, case: Case, policy: Policy) -> Outcome[Any]:
    reply = recordings.reply(model, case.messages[-1].text, 1)
    draft = generation_of(reply, case, provider=model.partition("-")[0])
    asker = _Replaying(recordings, request_for(case), model)
    return _judged(recordings, case, draft, await PolicyScorer(policy, asker).score(case, draft))


def _judged(recordings: Recordings, case: Case, draft: Generation, score: Score) -> Outcome[Any]:
    code, theme = recordings.gold[str(case.metadata["claim"])]
    right = isinstance(draft.answer, dict) and draft.answer["code"] == code
    settled = Settlement(
        decision="approve" if right else "edit",
        answer=draft.answer if right else {"code": code, "theme": theme},
        decided_by="human",
        decided_at=draft.created_at,
    )
    return Outcome[Any](
        case=CaseRecord.of(case),
        generation=draft,
        score=score,
        route=Route(action="review", reason="cold_start", propensity=1, policy_version="recorded"),
        review=Review(settled=settled),
        decision=settled.decision,
        final_answer=settled.answer,
        decided_by="human",
        decided_at=draft.created_at,
        versions=Versions(hitl_prefect=__version__, prefect="none"),
    )
