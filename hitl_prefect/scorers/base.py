"""What the scorers that ask a model are made of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation, Part
from hitl_prefect.protocols import Decided, Question, Reply, Request

__all__ = ["SECOND", "Asker", "Asking", "Sitting", "Wanted", "name_of"]

SECOND = "second"
"""Stands for the model of another provider that the policy names, or that a key in the environment opens."""


class Asker(Protocol):
    """Asks on behalf of the scorers of one draft.

    Equal questions are asked once, however many scorers have them; each is given the very same reply.
    """

    request: Request
    """What the draft was asked with."""
    drafted_by: str
    """The model that drafted, as `provider:name` or the name of a block."""
    second: str | None
    """What `SECOND` stands for; `None` where there is no other provider."""

    async def ask(self, request: Request, *, model: str | None = None, sample: int = 0) -> Reply:
        """Ask a model.

        Args:
            request: What to ask.
            model: `provider:name`, the name of a block, or `SECOND`; `None` is the model that drafted.
            sample: Tells further samples of the same question apart.

        Raises:
            ProviderError: If there was no reply, after retries.
            ConfigError: If there is no such model, or no second one.
        """
        ...

    async def settle(self) -> None:
        """Wait for what is still under way, so that no reply is lost that is paid for."""
        ...

    async def aclose(self) -> None:
        """Stop what is still under way."""
        ...

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...], *, model: str) -> Decided:
        """Ask a decider.

        Raises:
            ProviderError: If there was no answer, after retries.
            ConfigError: If there is no such model, or it is no decider.
        """
        ...


@dataclass(frozen=True)
class Sitting:
    """What a scorer has before it."""

    case: Case
    generation: Generation
    """A draft whose status is `ok`."""
    asker: Asker


class Wanted(Frozen):
    """A question that will be asked whatever the draft says, so that it can be asked beside the draft."""

    request: Request
    model: str | None
    sample: int = 0


class Asking(Frozen):
    """A scorer that asks a model; its settings are its fields, and are stored with the policy."""

    needs_logprobs: ClassVar[bool] = False
    """Whether whom it asks must give token log probabilities."""
    needs_decider: ClassVar[bool] = False
    """Whether whom it asks must be a `Decider`."""

    @property
    def name(self) -> str:
        """Tells the scorer from the others of a policy."""
        raise NotImplementedError

    # Not at run time: a scorer may have a field of this name, and pydantic warns of a field that hides a property.
    if TYPE_CHECKING:

        @property
        def models(self) -> tuple[str | None, ...]:
            """Whom it asks; `None` is the model that drafted."""

    def ahead(self, case: Case, request: Request) -> tuple[Wanted, ...]:  # noqa: ARG002 - most need the draft first
        """What it asks whatever the draft says."""
        return ()

    async def look(self, sitting: Sitting) -> Part:
        """How sure it is.

        Raises:
            HitlError: If it could not be found out; the caller makes that a part without a confidence.
        """
        raise NotImplementedError


def name_of(scorer: "str | Asking") -> str:
    """The name of a scorer of a policy, whether it reads the draft or asks."""
    return scorer if isinstance(scorer, str) else scorer.name
