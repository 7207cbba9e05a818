"""The figures of `hitl_deductive_coding`: each scorer alone, the plain mean, and the fitted combination."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.claims import LEVELS, MODELS, Recordings, mean_policy, read_recordings, scored_claims, scorers_for
from benchmarks.figures import Scored, figures_table, markdown, told
from benchmarks.held_out import Draft, HeldOut, compare, hold_out
from hitl_prefect.combining import Combination
from hitl_prefect.evidence import was_right
from hitl_prefect.fitting import fit_combination
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome

__all__ = ["claim_figures"]


class _Way(Frozen):
    """A way to fit."""

    name: str
    levels: tuple[str, ...] = Field(min_length=1)
    """The prompts whose drafts are fitted on."""
    negative_weights: bool = False


_WAYS = (
    _Way(name="five prompts of the other claims", levels=LEVELS),
    _Way(name="prompt L1 of the other claims", levels=LEVELS[:1]),
    _Way(name="prompt L1, weights may be negative", levels=LEVELS[:1], negative_weights=True),
)


class _Measured(Frozen):
    """What one process found out about one model."""

    scores: tuple[Scored, ...]
    held: tuple[Any, ...]
    """Per way to fit, the `HeldOut` of each prompt."""
    fitted: Combination
    """On the drafts of all claims: what would be used, and is not measured here."""


def claim_figures(data: Path, *, draws: int, repeats: int) -> str:
    """All tables, in Markdown.

    Raises:
        ConfigError: If the files do not fit together.
        OSError: If one is missing.
    """
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(partial(_measure, read_recordings(data), repeats), MODELS))
    held = [one.held for one in found]
    return "\n\n".join(
        [
            "**Claims, prompt L1, run 1, each score alone** (`hitl_deductive_coding`)",
            figures_table([score for one in found for score in one.scores], what="Model, score", draws=draws),
            f"**The fitted combination and the plain mean, on claims that it was not fitted on** ({repeats} times "
            f"five folds, fitted on the {_WAYS[0].name})",
            _comparison([one[0] for one in held], draws),
            "**Other ways to fit: AUROC on prompt L1, less that of the plain mean**",
            _ways(held, draws),
            "**What a combination fitted on all claims is made of** (log-odds per unit of the scale)",
            _weights([one.fitted for one in found]),
        ]
    )


def _measure(recordings: Recordings, repeats: int, model: str) -> _Measured:
    drafts = {level: _drafts(recordings, model, level) for level in LEVELS}
    scorers = scorers_for(model)
    hold = partial(hold_out, list(drafts.values()), scorers=scorers, repeats=repeats)
    return _Measured(
        scores=tuple(_alone(model, drafts["L1"])),
        held=tuple(
            hold(fitting=[drafts[level] for level in way.levels], negative_weights=way.negative_weights)
            for way in _WAYS
        ),
        fitted=fit_combination(
            [draft.by_scorers for level in drafts.values() for draft in level],
            scorers=scorers,
            group=lambda outcome: str(outcome.case.metadata["claim"]),
        ),
    )


def _drafts(recordings: Recordings, model: str, level: str) -> list[Draft]:
    mean = mean_policy()
    apart = mean.model_copy(update={"scorers": scorers_for(model)})
    both = [scored_claims(recordings, model, level, policy) for policy in (apart, mean)]
    return [Draft(by_scorers=parts, by_mean=means) for parts, means in zip(*both, strict=True)]


def _alone(model: str, drafts: Sequence[Draft]) -> list[Scored]:
    """Those scores that a part gives, then the two means."""
    names = [part.name for part in drafts[0].by_scorers.score.parts]
    by_name = {name: [_part(one.by_scorers, name) for one in drafts] for name in names}
    by_name["mean of `stated`, the others, the variants"] = [one.by_mean.score.confidence for one in drafts]
    by_name["mean of all that is combined"] = [one.by_scorers.score.confidence for one in drafts]
    right = tuple(bool(was_right(one.by_scorers)) for one in drafts)
    return [
        Scored(name=f"`{model}`, {name}", confidence=tuple(sure or 0.0 for sure in found), right=right)
        for name, found in by_name.items()
        if len({*found}) > 1
    ]


def _part(outcome: Outcome[Any], name: str) -> float | None:
    return next(part.confidence for part in outcome.score.parts if part.name == name)


def _comparison(held: Sequence[Sequence[HeldOut]], draws: int) -> str:
    groups = {
        **{f"`{model}`, prompt L1": [one[0]] for model, one in zip(MODELS, held, strict=True)},
        "mean of the three, prompt L1": [one[0] for one in held],
        **{f"`{model}`, mean of five prompts": list(one) for model, one in zip(MODELS, held, strict=True)},
        "mean of the three, of five prompts": [level for one in held for level in one],
    }
    figures: tuple[Literal["AUROC", "Brier"], ...] = ("AUROC", "Brier")
    found = {figure: compare(list(groups.values()), figure, draws=draws) for figure in figures}
    rows = [
        [name, *(cell for figure in figures for cell in _cells(found[figure][number]))]
        for number, name in enumerate(groups)
    ]
    head = [f"{figure}, {kind}" for figure in figures for kind in ("mean", "combination", "difference")]
    return markdown(["", *head], rows)


def _cells(one: Any) -> list[str]:
    return [f"{one.mean.value:.3f}", f"{one.combined.value:.3f}", told(one.difference, "{:+.3f}".format)]


def _ways(held: Sequence[Sequence[Sequence[HeldOut]]], draws: int) -> str:
    rows = []
    for number, way in enumerate(_WAYS):
        on_l1 = [one[number][0] for one in held]
        found = compare([*([one] for one in on_l1), on_l1], "AUROC", draws=draws)
        rows.append([way.name, *(told(one.difference, "{:+.3f}".format) for one in found)])
    return markdown(["Fitted on", *(f"`{model}`" for model in MODELS), "mean of the three"], rows)


def _weights(fitted: Sequence[Combination]) -> str:
    rows = [
        [
            f"`{model}`",
            one.scale,
            f"{one.strength:g}",
            f"{one.intercept:+.2f}",
            ", ".join(f"`{term.name}` {term.weight:+.2f}" for term in one.terms),
        ]
        for model, one in zip(MODELS, fitted, strict=True)
    ]
    return markdown(["Model", "scale", "L2", "intercept", "weights"], rows)
