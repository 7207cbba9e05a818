"""Fit a combination on what people decided: needs the extra `learn`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import TYPE_CHECKING, Any, Self, get_args

from hitl_prefect.combining import Combination, FittedFor, Scale, Term, on_scale
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.evidence import first_attempt, was_right
from hitl_prefect.outcomes import Outcome
from hitl_prefect.scorers.base import Asking

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["fit_combination"]

_FEWEST = 10
"""Different prompts of each kind, right and wrong: with fewer, cross-validation would check on next to nothing."""

_FOLDS = 5

_STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Per case; strong first, so that of two that do equally well the stronger is taken."""

_SCALES: tuple[Scale, ...] = get_args(Scale)


def fit_combination(
    outcomes: Iterable[Outcome[Any]],
    *,
    scorers: Sequence[str | Asking],
    group: Callable[[Outcome[Any]], str] = lambda outcome: outcome.case.prompt_sha256,
    negative_weights: bool = False,
    seed: int = 0,
) -> Combination:
    """The weights that fit what people decided: a logistic regression whose weights are held back by L2.

    Each reviewed outcome counts by 1 / `route.propensity`, so that what is rarely reviewed is not forgotten. The scale
    of the confidences and the strength of L2 are those with the least log loss in five-fold cross-validation. A scorer
    that gains no weight has no term, so that nobody needs to ask it. Cases where a scorer has no confidence are left
    out; the combination has none there either.

    Args:
        outcomes: Of one task. Those that no person decided are passed over.
        scorers: Those to combine, by name or as in `Policy.scorers`.
        group: Cases that are the same question in other words, which are never split between fitting and checking.
        negative_weights: Let a higher confidence mean less sure. Off, since with few labels such weights are noise.
        seed: Of the folds; the same outcomes and seed give the same weights.

    Raises:
        ConfigError: If the outcomes are of several tasks, a scorer has no part in them, there are too few labels, or
            no scorer tells right from wrong.
        MissingExtra: If scikit-learn is not installed.

    Source:
        The weights of outcomes: Horvitz, Thompson (1952), JASA 47.
    """
    if find_spec("sklearn") is None:
        raise MissingExtra("fitting needs scikit-learn: pip install 'hitl_prefect[learn]'")
    names = [one if isinstance(one, str) else one.name for one in scorers]
    labelled = _labelled(outcomes, names, group)
    rows = _Rows.of(labelled)
    scale, strength, line = _fitted(rows, None if negative_weights else 0.0, seed)
    return Combination(
        fitted_for=_evidence(labelled),
        scale=scale,
        terms=_terms(names, line),
        intercept=round(line.intercept, 6),
        strength=strength,
    )


@dataclass(frozen=True)
class _Labelled:
    """A case that a person decided and every scorer spoke on."""

    outcome: Outcome[Any]
    right: bool
    confidences: list[float]
    group: str


def _labelled(
    outcomes: Iterable[Outcome[Any]], names: Sequence[str], group: Callable[[Outcome[Any]], str]
) -> list[_Labelled]:
    decided = [(one, right) for one in outcomes if (right := was_right(one)) is not None]
    tasks = {one.case.task for one, _ in decided}
    if len(tasks) > 1:
        raise ConfigError(f"the outcomes are of the tasks {sorted(tasks)}: fit one combination per task")
    _check_scorers([one for one, _ in decided], names)
    found = [_Labelled(one, right, known, group(one)) for one, right in decided if (known := _confidences(one, names))]
    _check_labels(found, left_out=len(decided) - len(found))
    return found


def _confidences(outcome: Outcome[Any], names: Sequence[str]) -> list[float] | None:
    known = {part.name: part.confidence for part in first_attempt(outcome).score.parts if part.confidence is not None}
    return [known[name] for name in names] if known.keys() >= set(names) else None


def _evidence(labelled: Sequence[_Labelled]) -> FittedFor:
    return FittedFor(
        task=labelled[0].outcome.case.task,
        models=tuple(sorted({first_attempt(one.outcome).generation.model for one in labelled})),
        cases=len(labelled),
        wrong=sum(not one.right for one in labelled),
    )


def _terms(names: Sequence[str], line: "_Line") -> tuple[Term, ...]:
    """Those with a weight, to six digits: machines that differ in the last bits make the same policy version."""
    told = zip(names, line.weights.tolist(), line.centres.tolist(), strict=True)
    terms = tuple(
        Term(name=name, weight=round(weight, 6), centre=round(centre, 6))
        for name, weight, centre in told
        if round(weight, 6)
    )
    if not terms:
        raise ConfigError(f"none of {list(names)} tells right from wrong on the reviewed cases: name other scorers")
    return terms


def _check_scorers(decided: Sequence[Outcome[Any]], names: Sequence[str]) -> None:
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"scorers={list(names)}: name each scorer to combine once")
    there = {part.name for one in decided for part in one.score.parts if part.confidence is not None}
    if decided and (never := [name for name in names if name not in there]):
        raise ConfigError(f"no reviewed outcome holds a confidence of {never}; there is {sorted(there)}")


def _check_labels(labelled: Sequence[_Labelled], *, left_out: int) -> None:
    have = {kind: len({one.group for one in labelled if one.right is kind}) for kind in (True, False)}
    lacking = {kind: max(0, _FEWEST - count) for kind, count in have.items()}
    if any(lacking.values()):
        also = f" ({left_out} more lack the confidence of a scorer)" if left_out else ""
        raise ConfigError(
            f"people found {have[True]} prompts answered right and {have[False]} wrong{also}, and a combination needs "
            f"{_FEWEST} of each: review until there are {lacking[True]} more right and {lacking[False]} more wrong"
        )


@dataclass(frozen=True)
class _Rows:
    """What is fitted on, one row per case."""

    confidences: list[list[float]]
    right: "Floats"
    weights: "Floats"
    groups: list[str]

    @classmethod
    def of(cls, labelled: Sequence[_Labelled]) -> Self:
        import numpy as np

        weights = np.array([1 / one.outcome.route.propensity for one in labelled])
        return cls(
            confidences=[one.confidences for one in labelled],
            right=np.array([float(one.right) for one in labelled]),
            weights=weights / weights.mean(),
            groups=[one.group for one in labelled],
        )

    def on(self, scale: Scale) -> "Floats":
        """The confidences as the weights will see them."""
        import numpy as np

        found: Floats = np.array([[on_scale(one, scale) for one in row] for row in self.confidences])
        return found


@dataclass(frozen=True)
class _Line:
    """A fitted logistic regression."""

    weights: "Floats"
    centres: "Floats"
    intercept: float

    def losses(self, features: "Floats", right: "Floats") -> "Floats":
        """The log loss of each row."""
        import numpy as np

        log_odds = self.intercept + (features - self.centres) @ self.weights
        found: Floats = np.logaddexp(0, (1 - 2 * right) * log_odds)
        return found


def _fitted(rows: _Rows, lowest: float | None, seed: int) -> tuple[Scale, float, _Line]:
    from threadpoolctl import threadpool_limits

    # On so few numbers the threads of the linear algebra only wait for each other: 1.2 CPU seconds become 0.2.
    with threadpool_limits(1):
        scale, strength = _chosen(rows, lowest, seed)
        return scale, strength, _fit(rows.on(scale), rows, strength, lowest)


def _chosen(rows: _Rows, lowest: float | None, seed: int) -> tuple[Scale, float]:
    """The scale and the strength with the least log loss on cases that were not fitted on."""
    folds = list(_folds(rows, seed))
    features = {scale: rows.on(scale) for scale in _SCALES}

    def loss(setting: tuple[Scale, float]) -> float:
        scale, strength = setting
        lines = [(_fit(features[scale], rows, strength, lowest, fitted), held) for fitted, held in folds]
        return sum(
            float(rows.weights[held] @ line.losses(features[scale][held], rows.right[held])) for line, held in lines
        )

    return min(product(_SCALES, _STRENGTHS), key=loss)


def _folds(rows: _Rows, seed: int) -> Iterator[tuple[Any, Any]]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    yield from folds.split(rows.groups, rows.right, rows.groups)


def _fit(features: "Floats", rows: _Rows, strength: float, lowest: float | None, index: Any = slice(None)) -> _Line:
    """Weights per unit of the features; L2 holds back those per standard deviation."""
    import numpy as np

    x, right, weights = features[index], rows.right[index], rows.weights[index] / rows.weights[index].sum()
    centres = weights @ x
    spread = np.sqrt(weights @ (x - centres) ** 2)
    # A scorer that always says the same has no spread, and gets no weight.
    per_unit = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    found = _least_loss((x - centres) * per_unit, right, weights, strength, lowest)
    return _Line(weights=found[1:] * per_unit, centres=centres, intercept=float(found[0]))


def _least_loss(x: "Floats", right: "Floats", weights: "Floats", strength: float, lowest: float | None) -> "Floats":
    """Intercept and weights with the least mean log loss plus `strength / 2` times the squared weights."""
    import numpy as np
    from scipy.optimize import minimize

    sign = 1 - 2 * right

    def loss(line: "Floats") -> tuple[float, "Floats"]:
        log_odds = line[0] + x @ line[1:]
        gap = weights * (1 / (1 + np.exp(-np.clip(log_odds, -500, 500))) - right)
        total = weights @ np.logaddexp(0, sign * log_odds) + strength / 2 * line[1:] @ line[1:]
        return float(total), np.concatenate([[gap.sum()], x.T @ gap + strength * line[1:]])

    bounds = [(None, None), *[(lowest, None)] * x.shape[1]]
    found: Floats = minimize(
        loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-8}
    ).x
    return found
