"""Generate and score many cases outside Prefect, many in flight, against a model that takes 0.2 s for each.

```shell
python -m benchmarks.throughput            # 2,000 cases, 64 in flight
```

The ideal is a client that costs nothing: cases / in flight x 0.2 s.
"""

import asyncio
import resource
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import SecretStr

from benchmarks.fast_model import LATENCY_S, fast_model
from hitl_prefect.direct import draft_and_score_many
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Provider

__all__ = ["Pace", "main"]

_TEAM = Literal["account", "billing", "delivery", "feedback", "refund", "technical"]
_POLICY = Policy(second_model=None)
"""The default scorers, with nobody else to ask: token log probabilities, or what the model says of itself."""


class Pace(Frozen):
    """What one run took."""

    provider: str
    cases: int
    in_flight: int
    seconds: float
    cpu_s: float
    """Processor seconds of this process during the run."""
    peak_mb: float
    """The most memory that this process has had so far."""

    @property
    def ideal_s(self) -> float:
        """Seconds of a client that costs nothing."""
        return self.cases / self.in_flight * LATENCY_S

    def row(self) -> str:
        """One line of the table."""
        return (
            f"| {self.provider} | {self.cases} | {self.in_flight} | {self.seconds:.2f} | {self.ideal_s:.2f} | "
            f"{self.seconds / self.ideal_s:.2f} | {self.cpu_s / self.cases * 1000:.2f} | {self.peak_mb:.0f} |"
        )


HEAD = """| provider | cases | in flight | seconds | ideal | ratio | CPU ms per case | peak MB |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


async def pace(provider: Provider, *, cases: int, in_flight: int) -> Pace:
    """Generate and score `cases` cases, `in_flight` at a time."""
    begun, cpu = time.perf_counter(), time.process_time()
    async for tried in draft_and_score_many(_cases(cases), model=provider, policy=_POLICY, in_flight=in_flight):
        assert tried.drafted is not None, tried.error
        assert tried.drafted.score.confidence is not None, tried.drafted
    return Pace(
        provider=provider.name,
        cases=cases,
        in_flight=in_flight,
        seconds=time.perf_counter() - begun,
        cpu_s=time.process_time() - cpu,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _cases(count: int) -> Iterator[Case]:
    for number in range(count):
        prompt = f"Which team should handle message {number}: where is my parcel?"
        yield Case(id=f"case-{number}", task="support", prompt=prompt, answer=_TEAM)


def _provider(name: str, url: str) -> Provider:
    key = SecretStr("sk-loopback")
    if name == "openai":
        from hitl_prefect.providers.openai import OpenAIProvider

        return OpenAIProvider("fast", api_key=key, base_url=f"{url}/v1")
    from hitl_prefect.providers.anthropic import AnthropicProvider

    return AnthropicProvider("fast", api_key=key, base_url=url)


async def _one(name: str, asked: Any) -> Pace:
    with fast_model() as url:
        provider = _provider(name, url)
        await pace(
            provider, cases=asked.in_flight, in_flight=asked.in_flight
        )  # imports and connections are not counted
        return await pace(provider, cases=asked.cases, in_flight=asked.in_flight)


def main(arguments: list[str] | None = None) -> int:
    """Print one row: a provider in a process of its own, so that its memory is its own."""
    parser = ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--provider", choices=["openai", "anthropic"], default="openai")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    asked = parser.parse_args(arguments)
    print(f"{HEAD}\n{asyncio.run(_one(asked.provider, asked)).row()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
