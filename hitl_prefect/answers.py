"""Answer types: what the model is asked to fill in, and how its text is read back.

The model states its confidence inside the structured answer; a person never sees it as part of the answer.
"""

import inspect
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from pydantic import BaseModel, Field, JsonValue, RootModel, TypeAdapter, ValidationError, create_model
from pydantic_core import from_json

from hitl_prefect.bounds import unfit
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Confidence

__all__ = ["AnswerType", "Reading"]

_CONFIDENCE = "How sure you are that this answer is right: 0 is a guess, 1 is certain."
_FENCED = re.compile(r"\A\s*```[A-Za-z0-9_-]*\n(.*)\n?```\s*\Z", re.DOTALL)


class Reading(Frozen):
    """What stood in the model's text."""

    answer: JsonValue = None
    """JSON data, valid for the answer type; `None` when `problems` says why not."""
    stated_confidence: Confidence | None = None
    problems: tuple[str, ...] = ()


class AnswerType:
    """An answer type seen from the model's side.

    Args:
        answer: Any type that pydantic can validate: `str`, a `Literal`, a model.

    Raises:
        ConfigError: If pydantic cannot validate it.

    >>> AnswerType(str).read('{"answer": "yes", "confidence": 0.7}')
    Reading(answer='yes', stated_confidence=0.7, problems=())
    """

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        if inspect.isroutine(answer) or isinstance(answer, partial):
            raise ConfigError(f"answer={answer!r} is a function, which pydantic would call with what a model wrote")
        try:
            self.adapter: TypeAdapter[Any] = TypeAdapter(answer)
            self.json_schema: dict[str, Any] = self.adapter.json_schema()
        except Exception as exc:  # pydantic raises its own and any error of the type's own schema hooks
            raise ConfigError(f"answer={answer!r} is no type that pydantic can describe as JSON: {exc}") from exc

    @property
    def is_model(self) -> bool:
        """Whether the answer is an object with fields of its own, rather than one bare value."""
        return isinstance(self.answer, type) and issubclass(self.answer, BaseModel) and not self._is_root

    @property
    def _is_root(self) -> bool:
        return isinstance(self.answer, type) and issubclass(self.answer, RootModel)

    @property
    def is_free_text(self) -> bool:
        """Whether the answer is a text of the model's own words, which equality cannot compare."""
        return self.json_schema.get("type") == "string" and not self.json_schema.keys() & {"enum", "const", "format"}

    @property
    def confidence_field(self) -> str:
        """The name under which the model states its confidence; never one of the answer's own fields."""
        fields = self.answer.model_fields if self.is_model else {}
        taken = {*fields, *self.json_schema.get("properties", ())}
        return "confidence" if "confidence" not in taken else "stated_confidence_of_answer"

    def draft_model(self, *, ask_confidence: bool) -> type[BaseModel]:
        """The pydantic model to hand to an SDK's `parse`.

        A model answer gains one field for the confidence; any other answer is wrapped as `answer`.
        """
        extra: dict[str, Any] = {}
        if ask_confidence:
            extra[self.confidence_field] = (float, Field(ge=0, le=1, description=_CONFIDENCE))
        if self.is_model:
            return create_model(
                _wire_name(self.answer.__name__), __base__=self.answer, __doc__=self.answer.__doc__, **extra
            )
        return create_model("Draft", answer=(self.answer, ...), **extra)

    def read(self, text: str) -> Reading:
        """Read the model's text; what does not fit is told in `problems`, not raised.

        A code fence around the whole text is allowed, since models without structured output write one.
        """
        fenced = _FENCED.match(text)
        try:
            data = from_json(fenced.group(1) if fenced else text, allow_inf_nan=False)
        except ValueError as exc:
            return Reading(problems=(f"not JSON: {exc}",))
        if not isinstance(data, dict):
            return Reading(problems=(f"expected a JSON object, got {type(data).__name__}",))
        stated = _confidence(data.pop(self.confidence_field, None))
        if not self.is_model and "answer" not in data:
            return Reading(problems=("answer: Field required",), stated_confidence=stated)
        return self._read_answer(data if self.is_model else data["answer"], stated)

    def _read_answer(self, data: Any, stated: float | None) -> Reading:
        try:
            return Reading(answer=self.as_json(self.from_json(data)), stated_confidence=stated)
        except ValueError as exc:
            return Reading(problems=problems_of(exc), stated_confidence=stated)

    def from_json(self, data: Any) -> Any:
        """The Python value of JSON data.

        Raises:
            ValueError: If the data does not fit the answer type, or is too deep: an outcome that holds it once more
                inside a verdict could not be read back.
        """
        if why := unfit(data):
            raise ValueError(f"answer: {why}")
        return _only_value_errors(lambda: self.adapter.validate_json(canonical_bytes(data)))

    def as_json(self, value: Any) -> Any:
        """A value of the answer type as JSON data.

        Raises:
            ValueError: If it holds what JSON cannot say, such as NaN.
        """
        data = _only_value_errors(lambda: self.adapter.dump_python(value, mode="json", by_alias=True))
        canonical_bytes(data)
        return data


def _only_value_errors(check: Callable[[], Any]) -> Any:
    """What the user's own validators and serialisers raise says one thing: the data does not fit."""
    try:
        return check()
    except ValueError:
        raise
    except Exception as exc:  # it is the user's code, and may raise anything
        raise ValueError(f"the answer type's own code failed: {type(exc).__name__}: {exc}") from exc


@lru_cache(maxsize=256)
def _cached(answer: Any) -> AnswerType:
    return AnswerType(answer)


def answer_type(answer: Any) -> AnswerType:
    """The `AnswerType` of a type, made once where the type can be hashed."""
    try:
        return _cached(answer)
    except TypeError:
        return AnswerType(answer)


def problems_of(error: ValueError) -> tuple[str, ...]:
    """A validation error in words: one line per field, the field first."""
    if not isinstance(error, ValidationError):
        return (str(error),)
    return tuple(
        f"{'.'.join(str(step) for step in one['loc']) or 'answer'}: {one['msg']}"
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _wire_name(name: str) -> str:
    """A class name as OpenAI takes it: `Box[int]` is refused.

    >>> _wire_name("Box[int]")
    'Box_int_'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


def _confidence(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None
