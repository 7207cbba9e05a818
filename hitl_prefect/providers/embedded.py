"""A small real model inside the package: a text classifier for support messages that needs no key and no network."""

import asyncio
import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.frozen import Frozen
from hitl_prefect.protocols import OnText, Reply, Request

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["EmbeddedProvider", "SupportMessage", "categories", "held_out_accuracy", "support_messages"]

_MODEL = "support"


class SupportMessage(Frozen):
    """A message that the package ships, and its category."""

    text: str
    category: str
    split: Literal["train", "held_out"]


class EmbeddedProvider:
    """Classifies the last message of the user into one of `categories()`.

    TF-IDF over words and characters with logistic regression, trained from the package's own messages at its first
    use in a process; nothing is unpickled.

    Raises:
        ConfigError: If the model is not `support`.
        MissingExtra: If scikit-learn is not installed.
    """

    name = "embedded"
    gives_logprobs = False

    def __init__(self, model: str = _MODEL) -> None:
        if model != _MODEL:
            raise ConfigError(
                f"there is no embedded model {model!r}; write 'embedded:{_MODEL}', or 'embedded:<task>@<store>'"
            )
        if find_spec("sklearn") is None:
            raise MissingExtra("embedded models need scikit-learn: pip install 'hitl_prefect[learn]'")
        self.model = model

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """Classify, in a thread: training takes a second of processor time.

        Raises:
            ConfigError: If the answer type has no place for a category, or there is no user message.
        """
        field = _category_field(answer_type(request.answer))
        asked = [message.text for message in request.messages if message.role == "user"]
        if not asked:
            raise ConfigError("embedded:support classifies the last user message, and the prompt holds none")
        category, probability = await asyncio.to_thread(_classify, asked[-1])
        text = json.dumps({field: category})
        if on_text is not None:
            on_text(text)
        return Reply(text=text, finish="stop", model=self.model, probability=probability)


def categories() -> tuple[str, ...]:
    """What a message can be, sorted.

    >>> categories()
    ('account', 'billing', 'delivery', 'feedback', 'refund', 'technical')
    """
    return tuple(sorted({row.category for row in support_messages()}))


def held_out_accuracy() -> float:
    """Share of the messages kept out of training that are classified right; in [0, 1]."""
    held_out = [row for row in support_messages() if row.split == "held_out"]
    return sum(_classify(row.text)[0] == row.category for row in held_out) / len(held_out)


@cache
def support_messages() -> tuple[SupportMessage, ...]:
    """What the package ships to train on, and what is kept out of that."""
    lines = files("hitl_prefect").joinpath("data", "support_messages.jsonl").read_text("utf-8").splitlines()
    return tuple(SupportMessage.model_validate_json(line) for line in lines if line.strip())


def _category_field(answer: AnswerType) -> str:
    """The field of the draft that takes the category.

    Raises:
        ConfigError: If the answer type does not take each of the categories there.
    """
    fields = list(answer.json_schema.get("properties", ())) if answer.is_model else ["answer"]
    if len(fields) == 1 and not any(answer.read(json.dumps({fields[0]: name})).problems for name in categories()):
        return fields[0]
    raise ConfigError(
        f"embedded:{_MODEL} answers with one of {', '.join(categories())}, and answer={answer.answer!r} does not "
        "take each of them: use a Literal of all of them, or a model with one such field"
    )


def _classify(text: str) -> tuple[str, float]:
    model = _trained()
    probabilities = model.predict_proba([text])[0]
    best = int(probabilities.argmax())
    return str(model.classes_[best]), min(1.0, float(probabilities[best]))


_training = Lock()
_model: list["Pipeline"] = []


def _trained() -> Any:
    """The trained classifier, made once per process."""
    with _training:
        if not _model:
            _model.append(_train([row for row in support_messages() if row.split == "train"]))
        return _model[0]


def _train(rows: list[SupportMessage]) -> "Pipeline":
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from threadpoolctl import threadpool_limits

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LogisticRegression(C=10, max_iter=1000))
    # On so few rows the threads of the linear algebra only wait for each other: 3.7 CPU seconds become 0.8.
    with threadpool_limits(1):
        return model.fit([row.text for row in rows], [row.category for row in rows])
