"""One round of labelling: which cases of a pool people are asked about next, and with what propensity."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from hitl_prefect.canonical import sha256_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.learning.choosing import Strategy, select_for_labels
from hitl_prefect.learning.text_classifier import TextClassifier
from hitl_prefect.models import WORTH_MOST

__all__ = ["Chosen", "plan_round", "seed_of"]


class Chosen(NamedTuple):
    """A case of the pool that a person is asked about."""

    place: int
    """Its position in the pool."""
    reason: Literal["cold_start", "rule", "audit"]
    """`cold_start`: no classifier could choose yet. `rule`: its label is worth most. `audit`: drawn at random."""
    detail: str
    propensity: float
    """With which probability it was chosen, in (0, 1]."""


def plan_round(
    texts: Sequence[str],
    k: int,
    *,
    classifier: TextClassifier | None,
    random_share: float = 0.2,
    strategy: Strategy = "margin",
    seed: int = 0,
) -> list[Chosen]:
    """The cases of the next round: first those drawn at random from the whole pool, then the most valuable of the rest.

    What is chosen for its value is hard on purpose, so that an error rate over it says nothing of the pool. The random
    share does: it is never trained on, and tells how the classifier does on all that is left.

    Args:
        texts: The pool: every case that nobody was asked about.
        k: How many; all where there are fewer.
        classifier: What is known so far; `None`: all are drawn at random, and trained on.
        random_share: The share of a round that is drawn at random, in [0, 1].
        strategy: What makes a label valuable.
        seed: The same pool, classifier and seed choose the same cases.

    Raises:
        ConfigError: If the share is none.
        MissingExtra: If scikit-learn is not installed.
    """
    if not 0 <= random_share <= 1:
        raise ConfigError(f"random_share={random_share} is no share: give a number from 0 to 1")
    wanted = min(k, len(texts))
    if classifier is None:
        return [Chosen(place, "cold_start", "", wanted / len(texts)) for place in _drawn(len(texts), wanted, seed)]
    drawn = sorted(_drawn(len(texts), round(wanted * random_share), seed))
    left = [place for place in range(len(texts)) if place not in set(drawn)]
    worth = _worth(classifier, [texts[place] for place in left], wanted - len(drawn), strategy, seed)
    audits = [Chosen(place, "audit", "", len(drawn) / len(texts)) for place in drawn]
    detail = f"{WORTH_MOST}: {strategy}"
    return [*audits, *(Chosen(left[place], "rule", detail, 1.0) for place in worth)]


def seed_of(*known: str | int) -> int:
    """A seed that follows from what is known, so that a run that begins again chooses the same."""
    return int(sha256_of(list(known))[:8], 16)


def _drawn(count: int, k: int, seed: int) -> list[int]:
    # The rows do not matter to a random choice.
    rows: Any = [(0.5, 0.5)] * count
    return select_for_labels(rows, k, strategy="random", seed=seed)


def _worth(classifier: TextClassifier, texts: Sequence[str], k: int, strategy: Strategy, seed: int) -> list[int]:
    if not texts or not k:
        return []
    probabilities, features = classifier.probabilities(texts), classifier.features(texts)
    return select_for_labels(probabilities, k, strategy=strategy, features=features, seed=seed)
