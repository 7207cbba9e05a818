"""What a provider and a store promise; the composed floors know nothing else of them."""

from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field

from hitl_prefect.models import Confidence, Frozen, Message, Usage

__all__ = ["Provider", "PutResult", "Reply", "Request", "Store", "Token"]


class Request(Frozen):
    """What a provider is asked, already in the field's words."""

    messages: tuple[Message, ...]
    """The conversation, the reviewer's guidance included."""
    answer: Any = Field(exclude=True, repr=False)
    """The type of the answer; the provider asks for it through its SDK's own structured output."""
    ask_confidence: bool = True
    """Whether the model states a confidence inside the structured answer."""
    max_tokens: int = Field(default=4096, gt=0)


class Token(Frozen):
    """One generated token."""

    text: str
    logprob: float
    """Natural logarithm of its probability; at most 0."""
    utf8: tuple[int, ...] | None = None
    """Its bytes, where the token is a part of a character."""


class Reply(Frozen):
    """What came back over the wire, before anybody judges it."""

    text: str
    finish: Literal["stop", "length", "refusal"]
    """`length`: cut off by a token limit. `refusal`: the model or a filter declined."""
    model: str
    """The model that answered, as the provider names it."""
    tokens: tuple[Token, ...] = ()
    """Token log probabilities in order; empty where the model gives none."""
    probability: Confidence | None = None
    """The model's own probability of its answer, where it is a classifier."""
    usage: Usage = Usage()
    request_id: str | None = None


@runtime_checkable
class Provider(Protocol):
    """Something that answers.

    Raises:
        RateLimited, ProviderUnavailable: Trying again can help; the Prefect task does it.
        ProviderDenied: It cannot.
    """

    @property
    def name(self) -> str:
        """The provider's name, such as `openai`."""
        ...

    @property
    def model(self) -> str:
        """The model's name, as it is asked for."""
        ...

    async def generate(self, request: Request) -> Reply:
        """Ask once. No retry in here: SDK retries are off and the task decides."""
        ...


PutResult = Literal["created", "already"]


@runtime_checkable
class Store(Protocol):
    """A place where an object, once written, stays as it is.

    Raises:
        StoreUnavailable: Trying again can help; nothing is known about the write.
        StoreDenied: It cannot.
    """

    @property
    def url(self) -> str:
        """Where it is, for people; without any secret."""
        ...

    def put_once(self, key: str, body: bytes) -> PutResult:
        """Write `body` unless `key` is taken.

        Returns:
            `already` where the very same bytes stood there (a lost acknowledgement, a second writer of the same).

        Raises:
            OutcomeConflict: Other bytes stand there; ours are kept under `quarantine/`, nothing is overwritten.
        """
        ...

    def get(self, key: str) -> bytes:
        """The bytes under `key`.

        Raises:
            ObjectMissing: Nothing stands there.
        """
        ...

    def keys(self, prefix: str = "") -> list[str]:
        """The keys below `prefix`, sorted."""
        ...
