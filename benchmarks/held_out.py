"""Does a fitted combination rank better than the plain mean, on claims that it was not fitted on?

Repeated five-fold cross-validation, grouped by claim. Everything that is chosen (scale, strength of L2, which scorers
keep a weight) is chosen by `fit_combination` inside the fitting folds. Cases are only ever compared with cases of the
same fold, since the folds' models differ in their intercepts: pooled, even the plain mean put through such models
loses up to 0.05 of its AUROC on these claims.

Source: Airola et al. (2011), Computational Statistics & Data Analysis 55, on pooled and paired AUROC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from hitl_prefect.evidence import was_right
from hitl_prefect.fitting import fit_combination
from hitl_prefect.metrics import Interval
from hitl_prefect.outcomes import Outcome
from hitl_prefect.scorers import AskingScorer, ReadingName

__all__ = ["Comparison", "Draft", "HeldOut", "compare", "hold_out"]

Floats = NDArray[np.float64]

_FOLDS = 5


@dataclass(frozen=True)
class Draft:
    """One draft, scored both ways."""

    by_scorers: Outcome[Any]
    """With a part for each scorer that is combined."""
    by_mean: Outcome[Any]
    """By the plain mean, which is not fitted."""

    @property
    def claim(self) -> str:
        """The claim that it is about."""
        return _claim(self.by_scorers)


@dataclass(frozen=True)
class HeldOut:
    """The drafts of one model to one prompt, in the same order of claims for all."""

    right: NDArray[np.bool_]
    mean: Floats
    combined: Floats
    """Per repetition and claim, of a combination that was not fitted on the claim."""
    folds: NDArray[np.int_]
    """Per repetition and claim."""


def hold_out(
    drafts: Sequence[Sequence[Draft]],
    *,
    fitting: Sequence[Sequence[Draft]],
    scorers: Sequence[ReadingName | AskingScorer],
    repeats: int,
    negative_weights: bool = False,
) -> list[HeldOut]:
    """Score each claim by combinations that were fitted on others.

    Args:
        drafts: Per prompt one draft per claim, claims in the same order.
        fitting: What may be fitted on, likewise; of it, always without the claims of the fold.
        scorers: Those to combine.
        repeats: How often the claims are split anew.
        negative_weights: As `fit_combination` takes it.
    """
    first = _right(drafts[0])
    folds = np.array([_split(first, seed) for seed in range(repeats)])
    combined = np.zeros((len(drafts), *folds.shape))
    for repeat, fold in np.ndindex(repeats, _FOLDS):
        held = np.flatnonzero(folds[repeat] == fold).tolist()
        claims = {drafts[0][place].claim for place in held}
        fitted = fit_combination(
            [one.by_scorers for level in fitting for one in level if one.claim not in claims],
            scorers=scorers,
            group=_claim,
            negative_weights=negative_weights,
        )
        for level, asked in enumerate(drafts):
            combined[level, repeat, held] = [_sure(fitted.apply(asked[n].by_scorers.score.parts)) for n in held]
    return [
        HeldOut(_right(asked), np.array([_sure(one.by_mean.score.confidence) for one in asked]), scores, folds)
        for asked, scores in zip(drafts, combined, strict=True)
    ]


def _split(right: NDArray[np.bool_], seed: int) -> NDArray[np.int_]:
    """The fold of each claim; as many wrong ones in each, as nearly as it goes."""
    folds = np.zeros(len(right), dtype=int)
    split = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(right, right)
    for number, (_, held) in enumerate(split):
        folds[held] = number
    return folds


def _right(drafts: Sequence[Draft]) -> NDArray[np.bool_]:
    return np.array([bool(was_right(one.by_scorers)) for one in drafts])


def _claim(outcome: Outcome[Any]) -> str:
    return str(outcome.case.metadata["claim"])


def _sure(confidence: float | None) -> float:
    """Without a confidence a case goes to a person, as if it were 0."""
    return 0.0 if confidence is None else confidence


@dataclass(frozen=True)
class Comparison:
    """Both scores on the held-out claims, and the combination less the mean; each with its interval."""

    mean: Interval
    combined: Interval
    difference: Interval


def compare(held: Sequence[Sequence[HeldOut]], figure: Literal["AUROC", "Brier"], *, draws: int) -> list[Comparison]:
    """One comparison per group: of the figure's mean over those of the group.

    The claims are drawn anew, the same for all and for both scores; the fitted combinations are held as they are, so
    that the intervals leave out what other claims to fit on would change.
    """
    rng = np.random.default_rng(0)
    claims = len(held[0][0].right)
    drawn = [np.arange(claims), *(rng.integers(0, claims, claims) for _ in range(draws))]
    known = {id(one): _FIGURES[figure](one, drawn) for group in held for one in group}
    both = [np.mean([known[id(one)] for one in group], axis=0) for group in held]
    return [Comparison(_interval(mean), _interval(comb), _interval(comb - mean)) for mean, comb in both]


def _interval(found: Floats) -> Interval:
    """The figure of all claims comes first; a draw without a wrong claim has none."""
    low, high = np.nanquantile(found[1:], [0.025, 0.975])
    return Interval(value=float(found[0]), low=float(low), high=float(high), level=0.95)


def _auroc(held: HeldOut, drawn: Sequence[NDArray[np.int_]]) -> Floats:
    """Per draw, the share of pairs of a wrong and a right claim that are ranked right: of the mean, of the combination.

    A pair counts where it was once in the same fold; over the repetitions where it was, its ranks are averaged.
    """
    wrong, right = np.flatnonzero(~held.right), np.flatnonzero(held.right)
    together = held.folds[:, wrong, None] == held.folds[:, None, right]
    ranked = (together * _ranked(held.combined[:, wrong, None], held.combined[:, None, right])).sum(axis=0)
    times = together.sum(axis=0)
    counted = times > 0
    combined = np.divide(ranked, times, out=np.zeros(times.shape), where=counted)
    mean = counted * _ranked(held.mean[wrong, None], held.mean[None, right])
    shares = []
    for one in drawn:
        count = np.bincount(one, minlength=len(held.right)).astype(float)
        pairs = count[wrong] @ counted @ count[right]
        shares.append([count[wrong] @ kind @ count[right] / pairs if pairs else np.nan for kind in (mean, combined)])
    return np.array(shares).T


def _ranked(wrong: Floats, right: Floats) -> Floats:
    found: Floats = (right > wrong) + 0.5 * (right == wrong)
    return found


def _brier(held: HeldOut, drawn: Sequence[NDArray[np.int_]]) -> Floats:
    mean, combined = (held.mean - held.right) ** 2, ((held.combined - held.right) ** 2).mean(axis=0)
    return np.array([[kind[one].mean() for one in drawn] for kind in (mean, combined)])


_FIGURES = {"AUROC": _auroc, "Brier": _brier}
