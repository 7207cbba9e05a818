"""What it takes to read many outcomes, as JSON and as Parquet, and to seal and verify them.

`python -m benchmarks.reading`.

A folder is filled with made outcomes of two tasks and 30 days, and read while it is in the machine's own memory. Each
figure is of a new process; its imports count in the memory and not in the seconds.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from hitl_prefect.calibrating import calibrate
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.compacting import compact
from hitl_prefect.gathering import gather
from hitl_prefect.models import Case, Generation, LogprobSummary, Part, Promise, Route, Score, Usage
from hitl_prefect.outcomes import (
    CaseRecord,
    IndexEntry,
    Outcome,
    Review,
    Settlement,
    Verdict,
    Versions,
    index_key,
    outcome_key,
)
from hitl_prefect.policy import Policy
from hitl_prefect.reading import read_outcomes
from hitl_prefect.replaying import replay
from hitl_prefect.sealing import seal
from hitl_prefect.stores import FolderStore
from hitl_prefect.trust_page import as_html
from hitl_prefect.trust_report import trust_report
from hitl_prefect.verifying import verify_store

_START = datetime(2026, 1, 1, 6, tzinfo=UTC)
_DAYS = 30
_PROMPT = "The invoice of order {0} lists {1} positions; the customer asks which of them were delivered, and when. " * 4


def main() -> None:
    """Fill a folder, and print a line per way of reading it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outcomes", type=int, default=100_000)
    parser.add_argument("--folder", help="where they are kept; a temporary folder if empty")
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_measured(_PARTS[options.part], FolderStore(options.folder))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        _fill(Path(folder), options.outcomes)
        print(f"| {options.outcomes:,} outcomes in a folder | seconds | peak memory |\n| --- | --- | --- |")
        for name in _PARTS:
            _tell(name, folder)
        size = sum(path.stat().st_size for path in Path(folder, "parquet").rglob("*.parquet"))
        json_size = sum(path.stat().st_size for path in Path(folder, "outcomes").rglob("*.json"))
        print(f"\nJSON: {json_size / 1e6:.0f} MB; Parquet: {size / 1e6:.0f} MB.")


def _tell(name: str, folder: str) -> None:
    command = [sys.executable, "-m", "benchmarks.reading", "--part", name, "--folder", folder]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"| {name} | {found['seconds']:.1f} | {found['peak_mb']:.0f} MB |", flush=True)


def _measured(part: Callable[[FolderStore], object], store: FolderStore) -> dict[str, float]:
    started = time.perf_counter()
    part(store)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _calibrate(store: FolderStore) -> None:
    """It fails where a bar is neither found nor told to lack labels: then nothing would have been measured."""
    found = calibrate(f"folder:{store.root}", promise=Promise(max_error=0.2, confidence_level=0.9), dry_run=True)
    assert found.tasks, found
    assert all(one.bar is not None or one.needed for task in found.tasks for one in task.calibrated.calibrations), found


_PARTS: dict[str, Callable[[FolderStore], object]] = {
    "`gather`, JSON": gather,
    "`hitl compact`": compact,
    "`gather`, Parquet": gather,
    "`gather`, figures and page of `hitl report`, Parquet": lambda store: as_html(trust_report(gather(store))),
    "`hitl calibrate --dry-run`, Parquet": _calibrate,
    "`read_outcomes`, Parquet": lambda store: sum(1 for _ in read_outcomes(store)),
    "`hitl replay`, Parquet": lambda store: replay(store, Policy(min_confidence=0.7)),
    "`hitl seal`": seal,
    "`hitl verify`, sealed": lambda store: verify_store(store, {}),
}


def _fill(folder: Path, outcomes: int) -> None:
    """Written as plain files: that each is on the disk at once is of no use here."""
    random = Random(0)
    for number in range(outcomes):
        made = _outcome(number, random)
        path = folder / outcome_key(made)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        body = made.stored
        path.write_bytes(body)
        entry = IndexEntry(key=outcome_key(made), sha256=hashlib.sha256(body).hexdigest())
        index = folder / index_key(made.case.task, made.case.id)
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_bytes(canonical_bytes(entry))


def _outcome(number: int, random: Random) -> Outcome[str]:
    """Half of what is less sure than 0.8 was seen by a person, and 5% of the rest."""
    confidence = random.betavariate(4, 1)
    at = _START + timedelta(days=number % _DAYS, seconds=random.random() * 40_000)
    case = Case(id=f"case-{number:07}", task=random.choice(("invoices", "mail")), prompt=_PROMPT.format(number, 7))
    right = random.random() < confidence
    audit = confidence >= 0.8 and random.random() < 0.05
    seen = audit or confidence < 0.8
    draft = _generation(case, random, at)
    return Outcome[str](
        case=CaseRecord.of(case),
        generation=draft,
        score=Score(
            confidence=confidence, combined="min(logprob)", parts=(Part(name="logprob", confidence=confidence),)
        ),
        route=Route(
            action="review" if seen else "accept",
            reason="audit" if audit else "below_bar" if seen else "above_bar",
            propensity=0.05 if confidence >= 0.8 else 1.0,
            policy_version="bench0123456",
            bar=0.8,
        ),
        review=_review(draft, random, right=right) if seen else None,
        decision="accept" if not seen else "approve" if right else "edit",
        final_answer="delivered" if right or not seen else "lost",
        decided_by="model" if not seen else "audit" if audit else "human",
        decided_at=at,
        versions=Versions(hitl_prefect="0.1.0", prefect="3.8.8"),
    )


def _generation(case: Case, random: Random, at: datetime) -> Generation:
    return Generation(
        answer="delivered",
        text='{"answer": "delivered"}',
        status="ok",
        model="gpt-5-mini",
        provider="openai",
        prompt_sha256=case.prompt_sha256,
        logprobs=LogprobSummary(mean=random.random(), minimum=random.random(), tokens=9),
        usage=Usage(input_tokens=random.randint(90, 900), output_tokens=9),
        cost_usd=0.0004,
        latency_s=random.random(),
        request_id=f"req_{random.getrandbits(64):016x}",
        created_at=at,
    )


def _review(draft: Generation, random: Random, *, right: bool) -> Review:
    at = draft.created_at
    decision, answer = ("approve", "delivered") if right else ("edit", "lost")
    verdict = Verdict(
        decision=decision,
        answer=answer,
        reviewer=random.choice(("ada", "grace", "katherine")),
        attempt=1,
        draft_sha256=draft.sha256,
        form_sha256=f"{random.getrandbits(256):064x}",
        opened_at=at - timedelta(minutes=random.randint(1, 90)),
        decided_at=at,
    )
    settled = Settlement(decision=decision, answer=answer, decided_by="human", decided_at=at)
    return Review(verdicts=(verdict,), settled=settled)


if __name__ == "__main__":
    main()
