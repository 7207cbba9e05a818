"""Which cases a person should label next: those where a label teaches the classifier most.

Such labels are no fair sample of the cases: what is learnt from them is told by cases drawn at random beside them.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

from hitl_prefect.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int_]

__all__ = ["Spread", "Strategy", "select_for_labels", "select_spread"]

Strategy = Literal["margin", "least_confident", "entropy", "random"]
"""`margin`: where the two likeliest labels are nearly as likely. `least_confident`: where the likeliest is unlikely.
`entropy`: where the probability is spread over many labels; with dozens of labels no better than `random`."""

Spread = Literal["coreset", "typiclust", "probcover"]
"""How to cover the pool where there is no classifier yet."""


_OF_EACH = 10
"""As many times `k` of the most valuable cases are looked at, to choose `k` of them that are unlike each other."""


def select_for_labels(
    probabilities: "Sequence[Sequence[float]] | Floats",
    k: int,
    *,
    strategy: Strategy = "margin",
    features: Any = None,
    seed: int = 0,
) -> list[int]:
    """The cases whose labels are worth most, the most valuable first.

    Args:
        probabilities: One row per unlabelled case: the classifier's probability of each label, each in [0, 1].
        k: How many; all where there are fewer.
        strategy: What makes a label valuable.
        features: One row of numbers per case, dense or sparse. Where given, the chosen are unlike each other too: the
            ten times `k` most valuable are put into `k` clusters, and the most valuable of each is taken.
        seed: Of `random` and of the clusters; else nothing is drawn, and among equals the earlier case is taken.

    Returns:
        Positions of rows.

    Raises:
        ConfigError: If the rows are no probabilities of at least two labels, or `k` is negative.
        MissingExtra: If NumPy is not installed, or for `features` scikit-learn.

    Source:
        Scheffer, Decomain, Wrobel (2001), Advances in Intelligent Data Analysis, for the margin; Zhdanov (2019),
        arXiv:1901.05954, for the clusters.

    >>> select_for_labels([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]], 2)
    [1, 2]
    """
    np = _numpy()
    if strategy not in get_args(Strategy):
        raise ConfigError(f"there is no strategy {strategy!r}; there is {', '.join(get_args(Strategy))}")
    rows = _rows(probabilities, k)
    if strategy == "random":
        return [int(place) for place in np.random.default_rng(seed).permutation(len(rows))[:k]]
    best = np.argsort(_sureness(rows, strategy), kind="stable")
    if features is not None and k:
        best = _unlike(best[: _OF_EACH * k], features, k, seed)
    return [int(place) for place in best[:k]]


def _unlike(best: "Places", features: Any, k: int, seed: int) -> "Places":
    """The first of each of `k` clusters, then the others; both in their order."""
    np = _numpy()
    if len(best) <= k:
        return best
    if find_spec("sklearn") is None:
        raise MissingExtra("choosing unlike cases needs scikit-learn: pip install 'hitl_prefect[learn]'")
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        clusters = KMeans(k, n_init=1, random_state=seed).fit_predict(features[best])
    _, first = np.unique(clusters, return_index=True)
    found: Places = best[np.concatenate([np.sort(first), np.setdiff1d(np.arange(len(best)), first)])]
    return found


def _rows(probabilities: "Sequence[Sequence[float]] | Floats", k: int) -> "Floats":
    np = _numpy()
    if k < 0:
        raise ConfigError(f"k={k}: choose no cases or more")
    try:
        rows: Floats = np.asarray(probabilities, dtype=float)
    except ValueError as exc:
        raise ConfigError("the rows of probabilities differ in length: give each label's in each row") from exc
    if not len(rows):
        return rows.reshape(0, 2)
    if rows.ndim != 2 or rows.shape[1] < 2 or not ((rows >= 0) & (rows <= 1)).all():
        raise ConfigError("give one row per case with the probability of each of at least two labels, in [0, 1]")
    return rows


def _sureness(rows: "Floats", strategy: Strategy) -> "Floats":
    """Low where a label is worth much."""
    np = _numpy()
    if strategy == "entropy":
        logs: Floats = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
        spread: Floats = (rows * logs).sum(axis=1)
        return spread
    second, best = np.partition(rows, -2, axis=1)[:, -2:].T
    sure: Floats = best - second if strategy == "margin" else best
    return sure


def select_spread(
    features: "Floats", k: int, *, labelled: Sequence[int] = (), how: Spread = "coreset", seed: int = 0
) -> list[int]:
    """Cases that cover the pool, for the first round, when no classifier can say where it is unsure.

    Args:
        features: One row of numbers per case, labelled or not; such as those of `TextClassifier.features`, made dense.
        k: How many; all unlabelled ones where there are fewer.
        labelled: Positions of the rows that have a label.
        how: `coreset` takes the cases farthest from all that are labelled; `typiclust` the most typical one of each
            cluster; `probcover` those with the most near ones.
        seed: Of what is drawn by lot.

    Returns:
        Positions of rows, none of them labelled.

    Raises:
        MissingExtra: If scikit-activeml is not installed.

    Source:
        Sener, Savarese (2018), ICLR; Hacohen, Dekel, Weinshall (2022), ICML; Yehuda et al. (2022), NeurIPS.
    """
    if find_spec("skactiveml") is None:
        raise MissingExtra("covering a pool needs scikit-activeml: pip install 'hitl_prefect[learn]'")
    np = _numpy()
    known = np.full(len(features), np.nan)
    known[list(labelled)] = 0
    wanted = min(k, len(features) - len(set(labelled)))
    if wanted < 1:
        return []
    found = _coverer(how, seed).query(np.asarray(features, dtype=float), known, batch_size=wanted)
    return [int(place) for place in found]


def _coverer(how: Spread, seed: int) -> Any:
    from skactiveml.pool import CoreSet, ProbCover, TypiClust

    return {"coreset": CoreSet, "typiclust": TypiClust, "probcover": ProbCover}[how](random_state=seed)


def _numpy() -> Any:
    if find_spec("numpy") is None:
        raise MissingExtra("choosing cases needs NumPy: pip install 'hitl_prefect[learn]'")
    import numpy as np

    return np
