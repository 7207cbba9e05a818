"""Save the rate limits that all workers share, on the Prefect server; safe to run twice.

```
HITL_OPENAI_CONCURRENCY=8 HITL_OPENAI_TOKENS_PER_MINUTE=200000 python blocks/save_limits.py
```

What the environment does not name stays as it is; `prefect gcl delete hitl-openai` takes a limit away.
"""

import asyncio
import os

from prefect.client.orchestration import get_client

from hitl_prefect.limits import LIMITED


async def save_limits() -> list[str]:
    """Save what the environment names; returns what was saved, in words."""
    saved = []
    async with get_client() as client:
        for provider in LIMITED:
            if calls := _whole(f"HITL_{provider.upper()}_CONCURRENCY"):
                await client.upsert_global_concurrency_limit_by_name(f"hitl-{provider}", calls, 0.0)
                saved.append(f"hitl-{provider}: {calls} calls at once")
            if tokens := _whole(f"HITL_{provider.upper()}_TOKENS_PER_MINUTE"):
                await client.upsert_global_concurrency_limit_by_name(f"hitl-{provider}-tokens", tokens, tokens / 60)
                saved.append(f"hitl-{provider}-tokens: {tokens} tokens a minute")
    return saved


def _whole(variable: str) -> int | None:
    """The number that a variable holds; `None` where it is not set."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise SystemExit(f"{variable}={text!r} is no whole number from 1 on; correct it")
    return int(text)


if __name__ == "__main__":
    for line in asyncio.run(save_limits()) or ["nothing to save: set HITL_OPENAI_CONCURRENCY or another one"]:
        print(line)  # noqa: T201 - a script tells what it did
