"""Rate limits that all workers share, as global concurrency limits of the Prefect server.

`hitl-openai` and `hitl-anthropic` count the calls in flight; `hitl-openai-tokens` and `hitl-anthropic-tokens` count
tokens, and give back a sixtieth of a minute's tokens each second. Where one exists on the server, every call of every
worker takes its slots; where none exists, nothing is asked beyond one look-up per process and half a minute.
`blocks/save_limits.py` saves them.

The slot of a call that dies with its process is given back when its lease ends, a minute later. Prefect keeps leases in
the server's memory by default, so slots that were held when the server stopped stay taken: `hitl doctor` shows them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from weakref import WeakKeyDictionary

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.concurrency.asyncio import (
    AcquireConcurrencySlotTimeoutError,
    ConcurrencySlotAcquisitionError,
    concurrency,
    rate_limit,
)
from prefect.logging import get_logger

from hitl_prefect.errors import ConfigError, ProviderUnavailable, RateLimited
from hitl_prefect.frozen import Frozen

__all__ = ["LIMITED", "Limit", "read_limits", "slots", "take_tokens"]

LIMITED = ("openai", "anthropic")
"""The providers whose calls can be limited; the others answer in this process."""

_FOR_S = 30.0
"""A limit that was created or changed is seen after half a minute."""
_PATIENCE_S = 600.0
"""The longest wait for a slot, before the task's retry takes over."""
_LEASE_S = 60.0
"""The shortest that Prefect allows: how long a killed process keeps its slot."""
_PAGE = 200
"""As many limits as the server sends at once."""


class Limit(Frozen):
    """One limit as the Prefect server has it."""

    name: str
    slots: int
    """How many may be taken at once."""
    taken: int
    """How many are taken, as of the server's last look."""
    decay_per_second: float
    """How many are given back each second without being returned; 0 for calls in flight."""

    @property
    def counts_tokens(self) -> bool:
        """Whether it counts tokens, not calls."""
        return self.name.endswith("-tokens")

    def describe(self) -> str:
        """The limit in words.

        >>> Limit(name="hitl-openai", slots=4, taken=1, decay_per_second=0).describe()
        'hitl-openai: 4 calls at once, 1 under way'
        """
        if self.counts_tokens:
            return f"{self.name}: {self.decay_per_second * 60:g} tokens a minute, {self.slots} at once"
        return f"{self.name}: {self.slots} calls at once, {self.taken} under way"

    @property
    def problem(self) -> str | None:
        """Why it cannot be honoured, and what to do; `None` where it can."""
        if self.slots < 1:
            return f"the limit {self.name!r} has no slots, so that no call may be made; raise it, or delete it"
        if self.counts_tokens and not self.decay_per_second:
            return f"the limit {self.name!r} gives no tokens back; save it with blocks/save_limits.py"
        return None


async def read_limits(client: PrefectClient) -> dict[str, Limit]:
    """The limits of ours that are active on the server, by name."""
    ours = {name for provider in LIMITED for name in _names(provider)}
    found: dict[str, Limit] = {}
    offset = 0
    while page := await client.read_global_concurrency_limits(limit=_PAGE, offset=offset):
        offset += len(page)
        for one in page:
            if one.name in ours and one.active:
                found[one.name] = Limit(
                    name=one.name,
                    slots=one.limit,
                    taken=one.active_slots,
                    decay_per_second=one.slot_decay_per_second,
                )
        if len(page) < _PAGE:
            break
    return found


def _names(provider: str) -> tuple[str, str]:
    return f"hitl-{provider}", f"hitl-{provider}-tokens"


@asynccontextmanager
async def slots(provider: str, tokens: int) -> AsyncIterator[None]:
    """Hold what the limits of a provider ask for while one call is under way.

    Args:
        provider: Whose limits, such as `openai`.
        tokens: What the call is expected to use, prompt and answer; taken as far as the limit reaches.

    Raises:
        ConfigError: If a limit cannot be honoured.
        RateLimited: If no slot came free within ten minutes.
        ProviderUnavailable: If the Prefect server gave no slot for another reason.
    """
    calls, _ = _names(provider)
    held = AsyncExitStack()
    try:
        if (limit := await _in_force(provider, calls)) is not None:
            with _translated(limit):
                slot = concurrency(calls, 1, timeout_seconds=_PATIENCE_S, lease_duration=_LEASE_S)
                await held.enter_async_context(slot)
        # After the slot, so that the call follows at once and the tokens are used when they are taken.
        await take_tokens(provider, tokens)
        yield
    finally:
        await _give_back(held, calls)


async def _give_back(held: AsyncExitStack, name: str) -> None:
    """Give a slot back; where that fails, its lease does it a minute later, and the paid answer is not lost."""
    try:
        await held.aclose()
    except (httpx.HTTPError, RuntimeError) as exc:
        get_logger(__name__).warning("a slot of %s goes back with its lease (%s)", name, type(exc).__name__)


async def take_tokens(provider: str, tokens: int) -> None:
    """Take tokens, as far as the limit reaches; waits until they are there.

    Raises:
        ConfigError: If the limit cannot be honoured.
        RateLimited: If they were not there within ten minutes.
        ProviderUnavailable: If the Prefect server did not give them for another reason.
    """
    _, name = _names(provider)
    if tokens > 0 and (limit := await _in_force(provider, name)) is not None:
        with _translated(limit):
            await rate_limit(name, min(tokens, limit.slots), timeout_seconds=_PATIENCE_S)


@contextmanager
def _translated(limit: Limit) -> Iterator[None]:
    try:
        yield
    except AcquireConcurrencySlotTimeoutError as exc:
        raise RateLimited(
            f"Prefect's limit {limit.describe()}, gave no slot within {_PATIENCE_S:g} s; "
            "raise it with blocks/save_limits.py, or see in `hitl doctor` whether slots were left taken"
        ) from exc
    except ConcurrencySlotAcquisitionError as exc:
        _found.clear()  # It may have been changed since it was looked up; the retry sees it as it is.
        raise ProviderUnavailable(f"Prefect's limit {limit.describe()}, gave no slot: {exc}; try again later") from exc


_found: list[tuple[float, dict[str, Limit]]] = []
"""What was looked up last, and when."""
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def _in_force(provider: str, name: str) -> Limit | None:
    """The limit of that name, where there is one."""
    if provider not in LIMITED:
        return None
    limit = (await _look_up()).get(name)
    if limit is not None and limit.problem:
        _found.clear()
        raise ConfigError(limit.problem)
    return limit


async def _look_up() -> dict[str, Limit]:
    """One look at the server for all that ask at the same time."""
    if (known := _looked_up()) is not None:
        return known
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        if (known := _looked_up()) is None:
            async with get_client() as client:
                known = await read_limits(client)
            _found[:] = [(time.monotonic(), known)]
        return known


def _looked_up() -> dict[str, Limit] | None:
    """What was looked up a moment ago."""
    return next((limits for at, limits in _found[-1:] if time.monotonic() - at <= _FOR_S), None)
