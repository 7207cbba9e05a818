"""Reviews of made drafts: what opening them costs, without a model."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime

from benchmarks.ground import Ground
from hitl_prefect.detached import Detached, aopen_reviews
from hitl_prefect.models import Attempt, Case, Generation, Route, Score
from hitl_prefect.policy import REVIEW_ALL

__all__ = ["made_review", "open_made"]


def made_review(name: str, store: str) -> Detached:
    """A draft that a person is to see."""
    case = Case(id=name, task="triage", prompt=f"Which team should handle message {name}?")
    generation = Generation(
        answer="delivery",
        text="delivery",
        status="ok",
        model="fast",
        provider="openai",
        prompt_sha256=case.prompt_sha256,
        created_at=datetime.now(UTC),
    )
    route = Route(action="review", reason="cold_start", propensity=1, policy_version=REVIEW_ALL.version)
    attempt = Attempt(generation=generation, score=Score(confidence=0.6, combined="mean"), route=route)
    return Detached(case=case, attempt=attempt, policy=REVIEW_ALL, model="openai:fast", store=store)


def open_made(on: Ground, count: int) -> float:
    """Open this many more, in a process of its own; the seconds that it took, without those of its start."""
    first = on.count("review", "PAUSED")
    command = [
        sys.executable,
        "-m",
        "benchmarks.made_reviews",
        str(first),
        str(count),
        f"folder:{on.folder / 'review-store'}",
    ]
    done = subprocess.run(command, env=on.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"reviews could not be opened:\n{done.stderr[-3000:]}")
    return float(done.stdout)


async def _open(first: int, count: int, store: str) -> float:
    """Open them in one call, after one more that imports, connects and makes the deployment."""
    reviews = [made_review(f"made-{number}", store) for number in range(first, first + count)]
    await aopen_reviews([made_review(f"first-of-{first}-{count}", store)])
    begun = time.perf_counter()
    await aopen_reviews(reviews)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(asyncio.run(_open(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
