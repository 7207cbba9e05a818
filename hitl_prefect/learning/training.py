"""Train a classifier on what people decided, and say how it does on what it has not seen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.learning.labelled import Labelled, bucket_of
from hitl_prefect.learning.text_classifier import HeldOut, TextClassifier, vectorizers
from hitl_prefect.shares import Share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["FEWEST_LABELS", "FEWEST_PER_LABEL", "train_classifier"]

FEWEST_LABELS = 30
"""To train on: with fewer, the words of single cases decide."""
FEWEST_PER_LABEL = 2
"""A label that was given more rarely is left out: it could not be told from a slip."""
_FEWEST_AUDITS = 20
"""With fewer, audits alone tell next to nothing."""
_HELD_OUT = 0.2


def train_classifier(labels: Iterable[Labelled], *, task: str, strength: float = 10.0) -> TextClassifier:
    """A classifier of texts, and its share of right answers on cases that were kept out.

    Audits are never trained on: drawn at random, they are the honest test. With fewer than 20 of them a fifth of the
    cases is kept out too, the same ones each time. Labels of clusters are only ever trained on.

    Args:
        labels: What people decided, of one task; a case counts once, with its last label.
        task: What it classifies.
        strength: The inverse of L2: the higher, the closer it follows the labels.

    Returns:
        The same classifier for the same labels.

    Raises:
        ConfigError: If there are too few labels to train on, or none to test on, or all are the same.
        MissingExtra: If scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise MissingExtra("training needs scikit-learn: pip install 'hitl_prefect[learn]'")
    split = _split({one.case_id: one for one in labels}.values())
    _check(split, task)
    fitted = _fit(split.training, strength)
    made = fitted._asdict() | {
        "task": task,
        "trained_on": dict(sorted(Counter(one.how for one in split.training).items())),
    }
    untested = TextClassifier(**made, held_out=_nothing(split))
    return untested.model_copy(update={"held_out": _held_out(untested, split)})


class _Split(NamedTuple):
    training: list[Labelled]
    held_out: list[Labelled]
    by_audits: bool


def _split(labels: Iterable[Labelled]) -> _Split:
    known = sorted(labels, key=lambda one: one.case_id)
    audits = [one for one in known if one.how == "audit"]
    others = [one for one in known if one.how != "audit"]
    if len(audits) >= _FEWEST_AUDITS:
        return _Split(_often_given(others), audits, by_audits=True)
    kept = [one for one in others if one.how != "cluster" and bucket_of(one.case_id) < _HELD_OUT]
    away = {one.case_id for one in kept}
    return _Split(_often_given([one for one in others if one.case_id not in away]), [*audits, *kept], by_audits=False)


def _often_given(labels: Sequence[Labelled]) -> list[Labelled]:
    counts = Counter(one.label for one in labels)
    return [one for one in labels if counts[one.label] >= FEWEST_PER_LABEL]


def _check(split: _Split, task: str) -> None:
    kinds = {one.label for one in split.training}
    if len(split.training) < FEWEST_LABELS or len(kinds) < FEWEST_PER_LABEL:
        raise ConfigError(
            f"task {task!r} has {len(split.training)} labels to train on, of {len(kinds)} kinds that were given twice "
            f"or more, and {len(split.held_out)} kept out: a classifier needs {FEWEST_LABELS} of 2 kinds; review more, "
            "and let answers be one text: numbers and `bool` are no labels"
        )
    if not split.held_out:
        raise ConfigError(f"task {task!r} has no case that is kept out of training, so nothing could be tested")


class _Fitted(NamedTuple):
    """The fields of a classifier that come of fitting."""

    labels: tuple[str, ...]
    words: tuple[str, ...]
    characters: tuple[str, ...]
    idf: bytes
    weights: bytes
    intercepts: bytes


def _fit(training: Sequence[Labelled], strength: float) -> _Fitted:
    import numpy as np
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    texts = [one.text for one in training]
    views = vectorizers()
    # On sparse rows the threads of the linear algebra only wait for each other.
    with threadpool_limits(1):
        features = hstack([_fit_view(one, texts) for one in views], format="csr")
        line = LogisticRegression(C=strength, tol=1e-3, max_iter=1000).fit(features, [one.label for one in training])
    words, characters = (tuple(str(name) for name in one.get_feature_names_out()) for one in views)
    return _Fitted(
        labels=tuple(str(name) for name in line.classes_),
        words=words,
        characters=characters,
        idf=_encoded(np.concatenate([one.idf_ for one in views])),
        weights=_encoded(_per_label(line.coef_)),
        intercepts=_encoded(_per_label(line.intercept_.reshape(-1, 1))),
    )


def _fit_view(view: Any, texts: Sequence[str]) -> Any:
    try:
        return view.fit_transform(texts)
    except ValueError as exc:
        raise ConfigError("the texts have no words in common, so there is nothing to tell them apart by") from exc


def _per_label(numbers: "Floats") -> "Floats":
    """Of two labels scikit-learn keeps the second one's numbers alone: those of the first are 0."""
    import numpy as np

    return np.concatenate([np.zeros_like(numbers), numbers]) if len(numbers) == 1 else numbers


def _encoded(numbers: "Floats") -> bytes:
    from base64 import b64encode

    return b64encode(numbers.astype("<f4").tobytes())


def _nothing(split: _Split) -> HeldOut:
    """Until it is tested."""
    none = Share(hits=0, of=0)
    return HeldOut(by="audits" if split.by_audits else "hash", right=none, low=0, high=1, guessing=none)


def _held_out(classifier: TextClassifier, split: _Split) -> HeldOut:
    said = classifier.probabilities([one.text for one in split.held_out]).argmax(axis=1)
    ((most, _),) = Counter(one.label for one in split.training).most_common(1)
    pairs = list(zip(said, split.held_out, strict=True))
    right = Share.true(classifier.labels[place] == one.label for place, one in pairs)
    low, high = right.interval()
    guessing = Share.true(one.label == most for one in split.held_out)
    return HeldOut(by="audits" if split.by_audits else "hash", right=right, low=low, high=high, guessing=guessing)
