"""What a provider's batch endpoint promises."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

from pydantic import AwareDatetime, Field

from hitl_prefect.frozen import Frozen
from hitl_prefect.protocols import Reply, Request

__all__ = [
    "BatchLimits",
    "BatchLook",
    "BatchProvider",
    "BatchResult",
    "Batches",
    "FoundBatches",
    "SoughtBatch",
    "custom_id",
]


class BatchLimits(Frozen):
    """What a provider takes at most in one batch."""

    requests: int = Field(gt=0)
    size_bytes: int = Field(gt=0)


class BatchLook(Frozen):
    """How a batch stands at its provider."""

    ended: bool
    """Nothing more will come: every request has a result, or never will."""
    status: str
    """The provider's own word, for people."""
    ended_at: AwareDatetime | None = None
    results: int | None = None
    """How many requests have a result, by the provider's own count."""


class BatchResult(Frozen):
    """What came of one line of a batch's results."""

    custom_id: str | None
    """As it was sent; `None` where the line could not be read."""
    reply: Reply | None = None
    problem: str = ""
    """Why there is no reply."""


def custom_id(key: str, place: int | str) -> str:
    """Names one request of a batch, and the batch: letters, digits and a dash, 64 at most.

    >>> custom_id("0123456789abcdef" * 4, 7)
    'h0123456789abcdef01234567-7'
    """
    return f"h{key[:24]}-{place}"


class SoughtBatch(Frozen):
    """What is known of a batch that a provider may have taken without our hearing of it."""

    key: str
    """Carried by every batch of ours."""
    requests: int
    since: AwareDatetime
    """The batch is not older."""
    claimed: frozenset[str] = frozenset()
    """The ids of batches that are known to be others."""

    @property
    def prefix(self) -> str:
        """How each `custom_id` of our batch begins."""
        return custom_id(self.key, "")


class FoundBatches(Frozen):
    """What a provider shows of a batch that was sought."""

    ids: tuple[str, ...] = ()
    """The batches with our key, the oldest first."""
    doubtful: tuple[str, ...] = ()
    """Batches that may be ours; they are still under way, and show what they are made of only afterwards."""


class Batches(Protocol):
    """A provider's batch endpoint: cheaper, and an answer within a day.

    Raises:
        RateLimited, ProviderDenied: The batch was certainly not taken.
        ProviderUnavailable: Nobody knows whether it was.
    """

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        ...

    async def prepare(self) -> None:
        """Find out what has to be known before requests are written, such as what the model refuses."""
        ...

    def line(self, custom_id: str, request: Request) -> bytes:
        """One request as JSON, as it is sent."""
        ...

    async def upload(self, key: str, lines: Sequence[bytes]) -> str | None:
        """Bring the requests to the provider where it wants them beforehand; no batch comes of it."""
        ...

    async def create(self, key: str, lines: Sequence[bytes], uploaded: str | None) -> str:
        """Make the batch, in one call that is given up after ten minutes; returns its id."""
        ...

    async def find(self, sought: SoughtBatch) -> FoundBatches:
        """Look for a batch that may have been made."""
        ...

    async def look(self, batch_id: str) -> BatchLook:
        """How the batch stands."""
        ...

    def results(self, batch_id: str) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch that has ended, in any order."""
        ...

    async def cancel(self, batch_id: str) -> None:
        """Ask for no more of its requests to be answered."""
        ...


@runtime_checkable
class BatchProvider(Protocol):
    """A provider that has a batch endpoint."""

    @property
    def name(self) -> str:
        """The provider's name, such as `openai`."""
        ...

    def batches(self) -> Batches:
        """Its batch endpoint, for the same model."""
        ...
