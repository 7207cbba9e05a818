"""A classifier that was trained on what people decided, as a model: `embedded:<task>@<store>`."""

import asyncio
import json
import re

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.errors import ConfigError
from hitl_prefect.learning import StoredModel, newest_version, read_model, text_of
from hitl_prefect.messages import Message
from hitl_prefect.models import TaskName
from hitl_prefect.protocols import Decided, OnText, Question, Reply, Request, Store

__all__ = ["TrainedProvider", "split_name"]

_NAME = re.compile(r"(?P<task>[a-z0-9][a-z0-9-]{0,63})(?:/(?P<version>[0-9]{1,6}))?@(?P<store>.+)")


def split_name(name: str) -> tuple[TaskName, int | None, str]:
    """Task, version and store of the name of a trained model; without a version it is the newest one.

    Raises:
        ConfigError: If it names none.

    >>> split_name("support@folder:outcomes"), split_name("support/3@s3://outcomes")
    (('support', None, 'folder:outcomes'), ('support', 3, 's3://outcomes'))
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ConfigError(f"'embedded:{name}' names no trained model: write 'embedded:<task>@<store>'")
    return found["task"], int(found["version"]) if found["version"] else None, found["store"]


class TrainedProvider:
    """Classifies the last message of the user; also tells how likely a given label is (a `Decider`).

    The newest version is looked up once, at the first question, and stays the same for this provider.

    Args:
        store: Where the model is.
        task: What it was trained for.
        version: Which one; the newest by default.
    """

    name = "embedded"
    gives_logprobs = False

    def __init__(self, store: Store, task: str, version: int | None = None) -> None:
        self.model = task
        self._store, self._task, self._version = store, task, version
        self._found: StoredModel | None = None

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """Classify, in a thread.

        Returns:
            The likeliest of the labels that the answer type takes, with its probability among all labels.

        Raises:
            ConfigError: If there is no such model, no user message, or the answer type takes none of the labels.
            StoreError: If the store is away.
        """
        found, known = await self._probabilities(request.messages)
        answer = answer_type(request.answer)
        field = _label_field(answer)
        ranked = sorted(known, key=lambda label: (-known[label], label))
        texts = (json.dumps({field: label}, ensure_ascii=False) for label in ranked)
        best = next(((text, label) for text, label in zip(texts, ranked, strict=True) if _takes(answer, text)), None)
        if best is None:
            raise ConfigError(f"answer={answer.answer!r} takes none of the labels of {found.name}: {', '.join(ranked)}")
        if on_text is not None:
            on_text(best[0])
        return Reply(text=best[0], finish="stop", model=found.name, probability=known[best[1]])

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
        """How likely labels are; the instructions of a question are the label.

        Returns:
            `None` for what was never a label in training.
        """
        found, known = await self._probabilities(messages)
        return Decided(probabilities={one.name: known.get(one.instructions) for one in questions}, model=found.name)

    async def _probabilities(self, messages: tuple[Message, ...]) -> tuple[StoredModel, dict[str, float]]:
        text = text_of(messages)
        if not text:
            raise ConfigError(f"embedded:{self.model} classifies the last user message, and the prompt holds none")
        return await asyncio.to_thread(self._classify, text)

    def _classify(self, text: str) -> tuple[StoredModel, dict[str, float]]:
        if self._found is None:
            self._found = _read(self._store, self._task, self._version)
        (row,) = self._found.classifier.probabilities([text]).tolist()
        return self._found, {
            label: min(1.0, one) for label, one in zip(self._found.classifier.labels, row, strict=True)
        }


def _read(store: Store, task: str, version: int | None) -> StoredModel:
    """A version never changes, so a process reads it once."""
    wanted = version or newest_version(store, task)
    key = (store.url, task, wanted)
    if wanted and key in _known:
        return _known[key]
    found = read_model(store, task, version)
    while len(_known) >= _MOST_KNOWN:
        _known.pop(next(iter(_known)), None)
    return _known.setdefault(key, found)


_MOST_KNOWN = 8
_known: dict[tuple[str, str, int], StoredModel] = {}
"""By store, task and version."""


def _label_field(answer: AnswerType) -> str:
    fields = list(answer.json_schema.get("properties", ())) if answer.is_model else ["answer"]
    if len(fields) != 1:
        raise ConfigError(
            f"answer={answer.answer!r} has {len(fields)} fields, and a classifier gives one label: use a Literal, "
            "or a model with one field"
        )
    return fields[0]


def _takes(answer: AnswerType, text: str) -> bool:
    return not answer.read(text).problems
