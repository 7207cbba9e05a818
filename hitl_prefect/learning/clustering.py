"""Find clusters of texts without any label: needs the extra `learn`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.learning.clusters import Cluster, Clusters, Text
from hitl_prefect.learning.text_classifier import vectorizers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Floats = NDArray[np.float64]
    Places = NDArray[np.int_]

__all__ = ["cluster_cases"]

_DIMENSIONS = 64
_MOST_MEASURED = 2_000
"""Texts whose silhouette is measured: it compares each with each."""
_WORDS = 5
"""Shown of a cluster."""


def cluster_cases(texts: Sequence[Text], *, task: str, fewest: int = 2, most: int = 20, seed: int = 0) -> Clusters:
    """Clusters of texts by the words and the runs of characters that they share.

    Args:
        texts: What to cluster; a case counts once.
        task: What kind of cases these are.
        fewest: The least number of clusters, at least 2.
        most: The largest; of all numbers between, the one with the highest silhouette is taken.
        seed: Of what is drawn by lot; the same texts and seed give the same clusters, in whatever order they come.

    Raises:
        ConfigError: If the bounds make no sense, there are not more texts than clusters, or they share no words.
        MissingExtra: If scikit-learn is not installed.

    Source:
        Rousseeuw (1987), Journal of Computational and Applied Mathematics 20, for the silhouette.
    """
    known = sorted({one.case_id: one for one in texts}.values(), key=lambda one: one.case_id)
    _check(len(known), fewest, most)
    if find_spec("sklearn") is None:
        raise MissingExtra("clusters need scikit-learn: pip install 'hitl_prefect[learn]'")
    from threadpoolctl import threadpool_limits

    # Sums of several threads come in no order, and the clusters would not be the same each time.
    with threadpool_limits(1):
        seen = _Seen.of([one.text for one in known])
        numbers = range(fewest, min(most, len(known) - 1) + 1)
        best = max((_split(seen.dense, number, seed) for number in numbers), key=lambda one: one.silhouette)
    found = [_cluster(known, seen, best, number) for number in sorted(set(best.places.tolist()))]
    found.sort(key=lambda one: (-len(one.members), one.members[0].case_id))
    return Clusters(task=task, clusters=tuple(found), silhouette=round(best.silhouette, 6))


def _check(texts: int, fewest: int, most: int) -> None:
    if not 2 <= fewest <= most:
        raise ConfigError(f"fewest={fewest}, most={most}: look for at least 2 clusters, and not for fewer at most")
    if texts <= fewest:
        raise ConfigError(f"{texts} texts make no {fewest} clusters: give more of them")


@dataclass(frozen=True)
class _Seen:
    """The texts as numbers, a row for each."""

    names: list[str]
    """Of the words."""
    words: "csr_matrix"
    """How much of each word is in a text."""
    dense: "Floats"
    """What texts have in common, in few dimensions; each row has the length 1."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_Seen":
        from scipy.sparse import hstack
        from sklearn.decomposition import TruncatedSVD
        from sklearn.preprocessing import normalize

        views = vectorizers()
        try:
            counted = [one.fit_transform(texts) for one in views]
        except ValueError as exc:
            raise ConfigError("the texts have no words in common, so there are no clusters") from exc
        together = hstack(counted, format="csr")
        few = max(1, min(_DIMENSIONS, together.shape[1] - 1, len(texts) - 1))
        dense = normalize(TruncatedSVD(few, random_state=0).fit_transform(together))
        return cls([str(one) for one in views[0].get_feature_names_out()], counted[0], dense)


@dataclass(frozen=True)
class _Division:
    places: "Places"
    """Per text, the number of its cluster."""
    silhouette: float
    near: "Floats"
    """Per text, how near it is to the middle of its cluster."""


def _split(dense: "Floats", number: int, seed: int) -> _Division:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    fitted = KMeans(number, n_init=4, random_state=seed).fit(dense)
    measured = min(_MOST_MEASURED, len(dense))
    # Texts that are all the same make one cluster, whatever was asked for.
    kinds = len(set(fitted.labels_.tolist()))
    score = silhouette_score(dense, fitted.labels_, sample_size=measured, random_state=seed) if kinds > 1 else -1.0
    return _Division(fitted.labels_, float(score), -fitted.transform(dense).min(axis=1))


def _cluster(known: Sequence[Text], seen: _Seen, division: _Division, number: int) -> Cluster:
    import numpy as np

    members = np.flatnonzero(division.places == number)
    typical = members[np.argsort(-division.near[members], kind="stable")]
    telling = np.asarray(seen.words[members].mean(axis=0) - seen.words.mean(axis=0)).ravel()
    best = np.argsort(-telling, kind="stable")[:_WORDS]
    words = tuple(seen.names[place] for place in best if telling[place] > 0)
    return Cluster(members=tuple(known[place] for place in typical), words=words)
