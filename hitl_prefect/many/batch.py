"""What all cases of a batch have in common, while one flow run resolves them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hitl_prefect.configured import provider_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.many.lanes import Lanes
from hitl_prefect.many.ledger import Ledger
from hitl_prefect.many.purse import Purse
from hitl_prefect.many.writers import Writers
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Provider, Store

__all__ = ["Batch", "Wanted"]


@dataclass(frozen=True)
class Wanted:
    """What `resolve_cases` was asked for, beside the cases."""

    task: str
    model: str
    store: str
    answer: Any
    policy: Policy
    chunk: int
    """Cases per Prefect task."""
    in_flight: int
    """Cases under way at once."""
    work_pool: str

    def __post_init__(self) -> None:
        for name in ("chunk", "in_flight"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} lets no case be asked; give at least 1")


@dataclass(frozen=True)
class Batch:
    """A batch while it is being resolved: what is wanted, what stands, and what its lanes share."""

    name: str
    run_id: str
    """The flow run that began it: all of its reviews name that run, whichever run opens them."""
    wanted: Wanted
    ledger: Ledger
    writers: Writers
    lanes: Lanes
    purse: Purse
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Reviews are opened a hundred at a time: more only wait for Prefect's database."""
    _providers: dict[str, Provider] = field(default_factory=dict)

    @property
    def target(self) -> Store:
        """Where its outcomes are kept."""
        return self.writers.store

    async def provider(self, model: str) -> Provider:
        """The provider of a model, looked up once: a saved block is read from the server.

        Raises:
            ConfigError: If there is no such model.
        """
        if model not in self._providers:
            self._providers[model] = await provider_of(model)
        return self._providers[model]
