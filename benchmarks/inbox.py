"""`hitl inbox` with thousands of waiting runs, against a real Prefect server on SQLite.

```shell
python -m benchmarks.inbox                # 5,000 runs, five rounds
```

The runs are created already suspended, through Prefect's bulk endpoint, with the labels that a review writes. Then the
server is started again. `first` is the first request that it gets; the rest is of the quickest round, since whatever
else a machine does only adds. Processor time is user and system together, of the command and of the server.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx

from hitl_prefect.demo.processes import PrefectServer, prefect_server

__all__ = ["main", "open_reviews"]

_PER_CALL = 100
"""As many as Prefect's bulk endpoint takes."""


def open_reviews(server: PrefectServer, count: int) -> None:
    """Create flow runs that wait for a person."""
    with httpx.Client(base_url=server.api_url, timeout=120, trust_env=False) as api:
        flow_id = _post(api, "/flows/", {"name": "inbox"})["id"]
        deployment = _post(api, "/deployments/", {"name": "inbox", "flow_id": flow_id})
        for start in range(0, count, _PER_CALL):
            runs = [_run(number) for number in range(start, min(start + _PER_CALL, count))]
            _create(api, f"/deployments/{deployment['id']}/create_flow_run/bulk", runs)
        paused = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
        made = _post(api, "/flow_runs/count", paused)
    if made != count:
        raise SystemExit(f"{made} runs wait, and not {count}")


def _post(api: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    """Ask until SQLite is not locked: a server that has just started writes its own schedules."""
    while (response := api.post(path, json=body)).status_code == 503:
        time.sleep(0.5)
    return response.raise_for_status().json()


def _create(api: httpx.Client, path: str, runs: list[dict[str, Any]]) -> None:
    """Create all of them: where SQLite is locked, the endpoint fails single runs and the call succeeds."""
    while runs:
        response = api.post(path, json=runs)
        if response.is_client_error:
            response.raise_for_status()
        made = response.json()["results"] if response.status_code < 300 else []
        done = [one["status"] != "FAILED" for one in made]
        runs = [run for run, ok in zip(runs, done, strict=True) if not ok] if made else runs


def _run(number: int) -> dict[str, Any]:
    opened = datetime.now(UTC) - timedelta(minutes=number % 600)
    keys = {part: f"suspended-review-{part}" for part in ("schema", "description", "response")}
    waits = {"pause_reschedule": True, "pause_key": "review", "run_input_keyset": keys}
    return {
        "idempotency_key": f"inbox-{number}",
        "name": f"Review: invoices · case {number}",
        "parameters": {"document": "Invoice 4711 of ACME for 12.50. " * 20},
        "tags": ["hitl", "task:invoices", "waiting"],
        "state": {"type": "PAUSED", "name": "Suspended", "state_details": waits},
        "labels": {
            "hitl.case": str(number),
            "hitl.task": "invoices",
            "hitl.reason": "below_bar",
            "hitl.attempt": 1,
            "hitl.opened_at": opened.isoformat(),
            "hitl.deadline_at": (opened + timedelta(days=3)).isoformat(),
            "hitl.confidence": 0.6,
            "hitl.expected_loss": number % 97 + 0.5,
            "hitl.people": json.dumps(["ada", "bob"]),
            "hitl.not_these": "[]",
            "hitl.role": "reviewer",
            "hitl.run_name": f"quick-otter-{number}",
        },
    }


class Taken(NamedTuple):
    """What one run of a command took, in seconds."""

    wall: float
    command: float
    """Of the processor, for the command."""
    server: float
    """Of the processor, for the server, whatever it was doing meanwhile."""

    @classmethod
    def by(cls, server: PrefectServer, *command: str) -> Self:
        """Run it in a new process."""
        environment = {**server.env, "PREFECT_API_URL": server.api_url}
        begun, before, busy = time.perf_counter(), _of_commands(), _of_server(server)
        subprocess.run([sys.executable, *command], check=True, env=environment, stdout=subprocess.DEVNULL)
        return cls(time.perf_counter() - begun, _of_commands() - before, _of_server(server) - busy)


def _of_commands() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have ended, so not of the server
    return used.ru_utime + used.ru_stime


def _of_server(server: PrefectServer) -> float:
    """Of all processes of its group, as Linux counts it."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if int(fields[2]) == server.pid else 0
    return ticks / os.sysconf("SC_CLK_TCK")


_COMMANDS = {
    "hitl inbox": ("-m", "hitl_prefect", "inbox"),
    "hitl inbox --json": ("-m", "hitl_prefect", "inbox", "--json"),
    "hitl inbox --limit 20": ("-m", "hitl_prefect", "inbox", "--limit", "20"),
    "hitl --version": ("-m", "hitl_prefect", "--version"),
    "import prefect": ("-c", "import prefect"),
}


def main(arguments: list[str] | None = None) -> int:
    """Print one row per command."""
    parser = ArgumentParser(prog="python -m benchmarks.inbox", description=__doc__)
    parser.add_argument("--waiting", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hitl-inbox-") as folder, prefect_server(Path(folder)) as server:
        open_reviews(server, asked.waiting)
        server.restart()
        rounds = [_round(server) for _ in range(asked.rounds)]
    load = os.getloadavg()[0]
    print(f"{asked.waiting} waiting, {asked.rounds} rounds, {os.cpu_count()} cores, load {load:.1f} at the end\n")
    print("| command | first s | quickest s | its processor s | the server's processor s |\n" + "| --- " * 5 + "|")
    for name in _COMMANDS:
        first, best = rounds[0][name].wall, min(one[name] for one in rounds)
        print(f"| `{name}` | {first:.2f} | {best.wall:.2f} | {best.command:.2f} | {best.server:.2f} |")
    return 0


def _round(server: PrefectServer) -> dict[str, Taken]:
    return {name: Taken.by(server, *command) for name, command in _COMMANDS.items()}


if __name__ == "__main__":
    sys.exit(main())
