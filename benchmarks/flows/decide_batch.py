"""Decide a file of cases in one flow run, and print what that cost this process.

```shell
python decide_batch.py CASES.jsonl --store folder:OUTCOMES --bar 0.5
```
"""

import json
import resource
import time
from argparse import ArgumentParser, Namespace

import openai  # noqa: F401 - before the clock starts, as in benchmarks/naive/three_tasks.py
from prefect import flow

from hitl_prefect import BatchSummary, Policy, resolve_cases


@flow(name="decide-batch")
def decide_batch(source: str, store: str, policy: Policy, in_flight: int) -> BatchSummary:
    """All cases of a source."""
    return resolve_cases(
        source, task="triage", model="openai:fast", store=store, policy=policy, in_flight=in_flight, answer=str
    )


def _asked() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--store", required=True)
    parser.add_argument("--bar", type=float, help="accept from here on; without it a person sees every case")
    parser.add_argument("--in-flight", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    asked, begun, cpu_before = _asked(), time.perf_counter(), time.process_time()
    policy = Policy(min_confidence=asked.bar, second_model=None)
    summary = decide_batch(asked.source, asked.store, policy, asked.in_flight)
    seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu_before
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cost = {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb}
    print(json.dumps({**cost, "summary": summary.model_dump(mode="json")}))
