"""A trained text classifier as data: words, weights and how it did. JSON in, JSON out; nothing is unpickled."""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Base64Bytes, ConfigDict, Field, ValidationError, model_validator

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import TaskName
from hitl_prefect.shares import Share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Floats = NDArray[np.float64]

__all__ = ["HeldOut", "TextClassifier", "vectorizers"]

Label = Annotated[str, Field(min_length=1)]
Part = Annotated[str, Field(min_length=1)]

_FLOAT_BYTES = 4
"""Weights are kept as 32-bit floats: half the size, and they differ less than two trainings do."""


class HeldOut(Frozen):
    """How the classifier did on cases that it was not trained on."""

    by: Literal["audits", "hash"]
    """`audits`: cases drawn at random among those that nobody would have looked at. `hash`: a fifth of the cases."""
    right: Share
    low: float = Field(ge=0, le=1)
    """The lower end of the 95% interval of the share of right ones."""
    high: float = Field(ge=0, le=1)
    guessing: Share
    """The same of always saying the most frequent label."""


class TextClassifier(Frozen):
    """Probabilities of labels for a text: TF-IDF over words and characters, then a logistic regression."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, frozen=True, extra="forbid")

    schema_: Literal["hitl.classifier/v1"] = Field(default="hitl.classifier/v1", alias="schema")
    task: TaskName
    labels: tuple[Label, ...] = Field(min_length=2)
    """Sorted; in the order of the probabilities."""
    words: tuple[Part, ...]
    """The words and pairs of words that count, sorted."""
    characters: tuple[Part, ...]
    """The runs of 2 to 5 characters that count, sorted."""
    idf: Base64Bytes = Field(repr=False)
    """The weight of each word, then of each run of characters: 32-bit floats, little-endian, as base64."""
    weights: Base64Bytes = Field(repr=False)
    """Label by label the weight of each of them, likewise."""
    intercepts: Base64Bytes = Field(repr=False)
    """Of each label, likewise."""
    trained_on: dict[str, int]
    """How many labels of each kind, as `LabelHow` calls it."""
    held_out: HeldOut

    @classmethod
    def read(cls, body: bytes, *, where: str) -> Self:
        """The classifier that `stored` has written.

        Args:
            body: What stands in the store; whoever may write there may have written it.
            where: Its key, for the message.

        Raises:
            ConfigError: If it is none, or does not fit together.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as exc:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in exc.errors()[:3])
            raise ConfigError(f"{where!r} is no classifier ({told}): train anew with `hitl train`") from exc

    @property
    def stored(self) -> bytes:
        """Canonical bytes: the same classifier, the same bytes."""
        return canonical_bytes(self)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        parts = len(self.words) + len(self.characters)
        sizes = {"idf": parts, "weights": parts * len(self.labels), "intercepts": len(self.labels)}
        for name, size in sizes.items():
            if len(getattr(self, name)) != size * _FLOAT_BYTES:
                raise ValueError(f"{name} holds {len(getattr(self, name))} bytes, and {size} numbers are wanted")
            if not _numpy().isfinite(_floats(getattr(self, name))).all():
                raise ValueError(f"{name} holds what is no finite number")
        for name in ("labels", "words", "characters"):
            if list(getattr(self, name)) != sorted(set(getattr(self, name))):
                raise ValueError(f"{name} are not sorted, or one is there twice")
        return self

    def probabilities(self, texts: Sequence[str]) -> "Floats":
        """One row per text: the probability of each label, in the order of `labels`; each row adds up to 1.

        Raises:
            MissingExtra: If scikit-learn is not installed.
        """
        np = _numpy()
        weights, intercepts = self._numbers
        odds = np.asarray(self.features(texts) @ weights.T) + intercepts
        raised = np.exp(odds - odds.max(axis=1, keepdims=True))
        found: Floats = raised / raised.sum(axis=1, keepdims=True)
        return found

    def features(self, texts: Sequence[str]) -> "csr_matrix":
        """One sparse row per text: how much of each word and each run of characters is in it."""
        from scipy.sparse import hstack

        return hstack([one.transform(list(texts)) for one in self._vectorizers], format="csr")

    @cached_property
    def _numbers(self) -> tuple["Floats", "Floats"]:
        return _floats(self.weights).reshape(len(self.labels), -1), _floats(self.intercepts)

    @cached_property
    def _vectorizers(self) -> tuple[Any, ...]:
        made = vectorizers(self.words, self.characters)
        idf = _floats(self.idf)
        for one, part in zip(made, (idf[: len(self.words)], idf[len(self.words) :]), strict=True):
            one.idf_ = part
        return made


def vectorizers(words: Sequence[str] | None = None, characters: Sequence[str] | None = None) -> tuple[Any, ...]:
    """The two views of a text, of words and of characters; with a vocabulary they are ready once `idf_` is set.

    Raises:
        MissingExtra: If scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise MissingExtra("a classifier needs scikit-learn: pip install 'hitl_prefect[learn]'")
    from sklearn.feature_extraction.text import TfidfVectorizer

    common = {"sublinear_tf": True, "min_df": 2}
    return (
        TfidfVectorizer(ngram_range=(1, 2), max_features=10_000, vocabulary=words, **common),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), max_features=20_000, vocabulary=characters, **common),
    )


def _floats(body: bytes) -> "Floats":
    found: Floats = _numpy().frombuffer(body, dtype="<f4").astype(float)
    return found


def _numpy() -> Any:
    if find_spec("numpy") is None:
        raise MissingExtra("a classifier needs NumPy: pip install 'hitl_prefect[learn]'")
    import numpy as np

    return np
