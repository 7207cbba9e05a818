"""A batch whose process is killed at any moment goes on where it was."""

import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from hitl_prefect.stores.folder import FolderStore
from tests.servers.machine import wait_until
from tests.servers.prefect import post
from tests.wire.loopback import LoopbackAI, Said

ROOT = Path(__file__).parents[2]
CASES = 240
UNSURE = 24
KILLS = 10
IN_FLIGHT = 8
LATE_S = 0.25
"""A reply that the server sent so shortly before a kill may not have been read yet."""

SCRIPT = """
import asyncio
import sys

from prefect import flow

from hitl_prefect import Policy, aresolve_cases


@flow
async def batch(source: str, store: str) -> None:
    summary = await aresolve_cases(
        source,
        task="killed",
        model="openai:gpt-5-mini",
        store=store,
        policy=Policy(min_confidence=0.8),
        chunk=40,
        in_flight=8,
    )
    print(summary.model_dump_json())


asyncio.run(batch(*sys.argv[1:]))
"""


@pytest.fixture
def ai():
    with LoopbackAI(unsure_of_every_tenth) as made:
        yield made


def unsure_of_every_tenth(_path, body):
    number = int(re.findall(r"Is it (\d+)", str(body["messages"]))[0])
    return Said(json.dumps({"answer": "yes", "confidence": 0.9 if number % 10 else 0.5}), delay_s=0.02)


def started(server, ai, folder):
    """A run of the batch, in a process of its own."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder / "cases.jsonl"), f"folder:{folder / 'outcomes'}"],
            env=server.env | ai.env_of("openai") | {"PREFECT_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )


def test_killed_ten_times_no_case_is_generated_twice_and_none_is_lost(prefect_server, ai, tmp_path):
    """Only what was under way at a kill, and so had not been answered, is asked again."""
    lines = (json.dumps({"id": f"c{number}", "prompt": f"Is it {number}?"}) for number in range(CASES))
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    moments = [random.Random(kill).randrange(1, CASES // KILLS) for kill in range(KILLS)]
    kills = [killed(prefect_server, ai, tmp_path, after=asked) for asked in moments]
    last = started(prefect_server, ai, tmp_path)
    told, _ = last.communicate(timeout=120)

    assert last.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    summary = json.loads(told)
    assert (summary["cases"], summary["accepted"], summary["reviews"]) == (CASES, CASES - UNSURE, UNSURE)
    assert len(FolderStore(tmp_path / "outcomes").keys("outcomes/")) == CASES - UNSURE
    assert reviews(prefect_server) == UNSURE
    assert FolderStore(tmp_path / "outcomes").keys("quarantine/") == []
    assert [one for one in asked_again(ai) if not was_under_way(one, kills)] == []


def killed(server, ai, folder, *, after):
    """Kill -9 once the model was asked so many times more; returns from when to when that took."""
    before = len(ai.requests)
    process = started(server, ai, folder)
    try:
        wait_until(lambda: len(ai.requests) >= before + after or process.poll() is not None, "asked", timeout_s=60)
        time.sleep(random.random() * 0.05)
    finally:
        begun = time.monotonic()
        process.kill()
        process.communicate()
    return begun, time.monotonic()


def reviews(server):
    """How many flow runs wait for a person."""
    wanted = {"flow_runs": {"tags": {"all_": ["task:killed", "waiting"]}}}
    with httpx.Client(base_url=server.api_url, trust_env=False) as api:
        return post(api, "/flow_runs/count", wanted).json()


def asked_again(ai):
    """When each request arrived that was made again later."""
    prompts = [str(asked.body["messages"]) for asked in ai.requests]
    left = Counter(prompts)
    again = []
    for prompt, arrived in zip(prompts, ai.arrivals, strict=True):
        left[prompt] -= 1
        if left[prompt]:
            again.append(arrived)
    return again


def was_under_way(arrived, kills):
    return any(begun - LATE_S <= arrived <= gone for begun, gone in kills)
