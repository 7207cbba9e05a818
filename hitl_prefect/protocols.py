"""What a provider and a store promise; the composed floors know nothing else of them."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field, field_validator

from hitl_prefect.errors import ConfigError, HitlError
from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Confidence, Generation, Score, Usage

__all__ = [
    "Decided",
    "Decider",
    "Erasable",
    "OnText",
    "Provider",
    "PutResult",
    "PutsTogether",
    "Question",
    "Reply",
    "Request",
    "Scorer",
    "Store",
    "Token",
    "erasable",
]


class Request(Frozen):
    """What a provider is asked, already in the field's words."""

    messages: tuple[Message, ...]
    """The conversation, the reviewer's guidance included."""
    answer: Any = Field(exclude=True, repr=False)
    """The type of the answer; the provider asks for it through its SDK's own structured output."""
    structured: bool = True
    """Whether the answer is asked for as JSON of the answer type; else the model writes as it likes."""
    ask_confidence: bool = True
    """Whether the model states a confidence inside the structured answer."""
    max_tokens: int | None = Field(default=None, gt=0)
    """The most that the reply may take, reasoning included; `None`: what the block says, or the model gives."""
    logprobs: bool = True
    """Whether to ask for token log probabilities, where the model gives them."""
    top_logprobs: int = Field(default=0, ge=0, le=20)
    """How many alternatives to each token to ask for."""


class Token(Frozen):
    """One generated token."""

    text: str
    logprob: float
    """Natural logarithm of its probability; at most 0."""
    utf8: tuple[int, ...] | None = None
    """Its bytes, where the token is a part of a character."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens in its place as (text, log probability), where they were asked for."""


class Reply(Frozen):
    """What came back over the wire, before anybody judges it."""

    text: str
    finish: Literal["stop", "length", "refusal"]
    """`length`: cut off by a token limit. `refusal`: the model or a filter declined."""
    model: str
    """The model that answered, as the provider names it."""
    provider: str = ""
    """Set by whoever asked."""
    tokens: tuple[Token, ...] = ()
    """Token log probabilities in order; empty where the model gives none."""
    probability: Confidence | None = None
    """The model's own probability of its answer, where it is a classifier."""
    usage: Usage = Usage()
    cost_usd: float | None = Field(default=None, ge=0)
    """Set by whoever asked, from the price table; `None` where the model has no price in it."""
    latency_s: float | None = Field(default=None, ge=0)
    """Seconds that the call took, where whoever asked measured it."""
    request_id: str | None = None

    @field_validator("text", mode="after")
    @classmethod
    def _writable(cls, text: str) -> str:
        """Without lone surrogates, which no journal could hold."""
        return text.encode("utf-8", "replace").decode()


OnText = Callable[[str], None]
"""Called with all of the text so far, each time that more of it has arrived."""


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

    @property
    def gives_logprobs(self) -> bool:
        """Whether the model may give token log probabilities, as far as is known."""
        ...

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """Ask once. No retry in here: SDK retries are off and the task decides.

        Args:
            request: What to ask.
            on_text: Where given, the reply is streamed and its text shown as it arrives. A stream that breaks is an
                error like any other: there is no half reply.
        """
        ...


class Question(Frozen):
    """One question about a text, to be answered with a probability."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    instructions: str
    """A statement that is true or false of the text."""


class Decided(Frozen):
    """What a decider said."""

    probabilities: dict[str, Confidence | None]
    """Per question the probability that its statement is true; `None` where the model declined."""
    model: str
    provider: str = ""
    """Set by whoever asked."""
    usage: Usage = Usage()
    cost_usd: float | None = Field(default=None, ge=0)
    request_id: str | None = None


@runtime_checkable
class Decider(Protocol):
    """A provider that answers questions with calibrated probabilities instead of text.

    Raises:
        RateLimited, ProviderUnavailable, ProviderDenied: As a provider does.
    """

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
        """Ask all questions about the same messages in one call."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """Says how sure we are of a draft."""

    async def score(self, case: Case, generation: Generation) -> Score:
        """How sure we are.

        Returns:
            A confidence in [0, 1], or `None` with the reasons in its parts where nobody could tell; with the confidence
            per field and the cost, where there are any.
        """
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

    @property
    def writers(self) -> int:
        """How many threads may write at once and gain by it."""
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


@runtime_checkable
class PutsTogether(Protocol):
    """A store to which many objects cost little more than one."""

    def put_all(self, objects: Sequence[tuple[str, bytes]]) -> list[PutResult | HitlError]:
        """`Store.put_once` for each key and body; what is refused stops none of the others.

        Returns:
            For each, in the same order, what `put_once` returns or raises.
        """
        ...


@runtime_checkable
class Erasable(Protocol):
    """A store that can also forget: a case on request, and the draft of a settled review where no prompts are kept."""

    def erase(self, key: str, *, leaving: bytes | None = None, bypass_governance: bool = False) -> int:
        """Delete what stands under a key, in every version of it.

        Args:
            key: Where.
            leaving: What stands there instead from then on; if `None`, nothing.
            bypass_governance: Also delete versions that a lock in governance mode holds, where the keys may do that.

        Returns:
            How many versions stay: a lock of the bucket holds them until it ends, or these keys may not delete them.

        Raises:
            StoreError: If the store is down, or lets nobody write or delete.
        """
        ...


def erasable(store: Store) -> Erasable:
    """The store itself, if it can forget.

    Raises:
        ConfigError: If it cannot.
    """
    if not isinstance(store, Erasable):
        raise ConfigError(f"{store.url} can forget nothing: its class {type(store).__name__} has no `erase`")
    return store
