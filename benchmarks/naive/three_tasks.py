"""Many cases as Prefect's documentation shows it: three mapped tasks for each, in a pool of threads.

```shell
python three_tasks.py CASES.jsonl OUTCOMES IN_FLIGHT    # prints the seconds of the flow run
```
"""

import json
import sys
import time
from functools import cache
from pathlib import Path

from openai import OpenAI
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import JsonValue


@cache
def _client() -> OpenAI:
    """One for all threads: with a client per case, its set-up would be most of what is measured."""
    return OpenAI(max_retries=0)


@task
def ask(case: dict[str, str]) -> dict[str, JsonValue]:
    """One call."""
    reply = _client().chat.completions.create(model="fast", messages=[{"role": "user", "content": case["prompt"]}])
    return {"id": case["id"], **json.loads(reply.choices[0].message.content or "")}


@task
def judge(draft: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Whether the model's own word is good enough."""
    return {**draft, "accepted": float(str(draft["confidence"])) >= 0}


@task
def save(draft: dict[str, JsonValue], outcomes: str) -> None:
    """One file per case."""
    (Path(outcomes) / f"{draft['id']}.json").write_text(json.dumps(draft))


@flow(name="naive-many")
def decide_all(source: str, outcomes: str) -> int:
    """Every case of a JSONL file; how many were decided."""
    cases = [json.loads(line) for line in Path(source).read_text("utf-8").splitlines()]
    saved = save.map(judge.map(ask.map(cases)), outcomes=outcomes)
    saved.wait()
    return len(saved.result())


if __name__ == "__main__":
    source, outcomes, in_flight = sys.argv[1:]
    Path(outcomes).mkdir(parents=True)
    begun = time.perf_counter()
    decide_all.with_options(task_runner=ThreadPoolTaskRunner(max_workers=int(in_flight)))(source, outcomes)
    print(time.perf_counter() - begun)
