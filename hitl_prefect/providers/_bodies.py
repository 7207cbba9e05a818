"""What the providers' bodies have in common, read leniently: compatible servers leave fields out."""

from typing import Annotated, Any, Optional, TypeAlias, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from hitl_prefect.models import Usage
from hitl_prefect.protocols import Token

__all__ = ["Lenient", "OrNone", "ReadToken", "ReadUsage"]

T = TypeVar("T")


class Lenient(BaseModel):
    """Reads the fields that it knows, and looks at no other."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


OrNone: TypeAlias = Annotated[Optional[T], WrapValidator(_or_none)]  # noqa: UP045 - `T | None` cannot be an alias
"""A detail that is not worth losing a reply over: `None` where it is not what it should be."""


class _Likely(Lenient):
    token: str
    logprob: float


class ReadToken(Lenient):
    """A token as OpenAI writes it, in either of its protocols."""

    token: str
    logprob: float
    utf8: OrNone[tuple[Annotated[int, Field(ge=0, le=255)], ...]] = Field(default=None, alias="bytes")
    top_logprobs: tuple[_Likely, ...] | None = None

    def as_token(self) -> Token:
        """The same in our words."""
        top = tuple((one.token, one.logprob) for one in self.top_logprobs or ())
        return Token(text=self.token, logprob=self.logprob, utf8=self.utf8, top=top)


class _InputDetails(Lenient):
    cached_tokens: OrNone[NonNegativeInt] = None


class _OutputDetails(Lenient):
    reasoning_tokens: OrNone[NonNegativeInt] = None


def _either(new: str, old: str) -> Any:
    """A field that Responses and Decisions call `new`, and Chat Completions `old`."""
    return Field(default=None, validation_alias=AliasChoices(new, old))


class ReadUsage(Lenient):
    """What OpenAI counted, in any of its protocols."""

    input_tokens: OrNone[NonNegativeInt] = _either("input_tokens", "prompt_tokens")
    input_details: OrNone[_InputDetails] = _either("input_tokens_details", "prompt_tokens_details")
    output_tokens: OrNone[NonNegativeInt] = _either("output_tokens", "completion_tokens")
    output_details: OrNone[_OutputDetails] = _either("output_tokens_details", "completion_tokens_details")

    def as_usage(self) -> Usage:
        """The same in our words."""
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.input_details.cached_tokens if self.input_details else None,
            reasoning_tokens=self.output_details.reasoning_tokens if self.output_details else None,
        )
