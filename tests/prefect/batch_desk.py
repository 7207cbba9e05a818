"""A desk at which tests run batches of many cases, and see what waits for people."""

import asyncio
import json
from uuid import UUID

from prefect.settings import PREFECT_HOME, temporary_settings

from flows.resolve_batch import resolve_batch
from hitl_prefect.canonical import sha256_of
from hitl_prefect.detached.flow import review
from hitl_prefect.models import Usage
from hitl_prefect.outcomes import Outcome
from hitl_prefect.policy import Policy
from hitl_prefect.providers.scripted import Step, register
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.triggering import aread_ending
from tests.servers.prefect import post

__all__ = ["BAR", "Desk", "cases", "counts", "desk_of"]

BAR = Policy(min_confidence=0.8)


class Desk:
    """Runs batches of one task of its own, against a real Prefect server."""

    def __init__(self, resident, folder, task):
        self.resident, self.folder, self.task = resident, folder, task
        self.store = FolderStore(folder / "outcomes")

    def model(self, *steps):
        """A model that says so, call by call: `yes 0.9` is an answer and its confidence; the last one repeats."""
        return register(self.task, [_step(said) for said in steps])

    def run(self, cases, **parameters):
        """One flow run; returns its summary."""
        given = {"task": self.task, "model": f"scripted:{self.task}", "store": self.store.url, "policy": BAR}
        home = {PREFECT_HOME: self.folder / "home"}
        with self.resident.connected(), temporary_settings(home):
            return resolve_batch(source=self.file(cases), **{**given, "in_flight": 1, **parameters})

    def file(self, cases):
        path = self.folder / "cases.jsonl"
        path.write_text("".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in cases))
        return str(path)

    def outcomes(self):
        """By case id."""
        found = [Outcome.model_validate_json(self.store.get(key)) for key in self.store.keys("outcomes/")]
        return {one.case.id: one for one in found}

    def reviews(self):
        """The flow runs that wait for a person, by the case that their form shows."""
        wanted = {"flow_runs": {"tags": {"all_": [f"task:{self.task}", "waiting"]}}, "limit": 200}
        return {run["parameters"]["case"]: run for run in post(self.resident.api, "/flow_runs/filter", wanted).json()}

    def settle(self, *runs, decision="approve", **typed):
        """A person decides so, and the review goes on."""
        for run in runs:
            self.resident.adopt(review, run["id"])
            self.resident.answer(run["id"], decision=decision, **typed)
            assert self.resident.go_on(run["id"]) == "Completed"

    def endings(self, batch):
        """How the flow runs stand that have resolved a batch, each as whoever waits for it sees it."""
        wanted = {"artifacts": {"key": {"any_": [f"hitl-batch-{batch}-progress"]}}}
        runs = {one["flow_run_id"] for one in post(self.resident.api, "/artifacts/filter", wanted).json()}
        with self.resident.connected():
            return [asyncio.run(aread_ending(UUID(run))) for run in runs]

    def artifact(self, key):
        found = self.resident.api.get(f"/artifacts/{key}/latest")
        return found.raise_for_status().json()["data"]


def _step(said):
    if isinstance(said, Exception):
        return said
    answer, confidence = said.split()
    text = json.dumps({"answer": answer, "confidence": float(confidence)})
    return Step(text=text, usage=Usage(input_tokens=1, output_tokens=1))


def desk_of(resident, folder, name):
    """The desk of the test of that name: its task is no other test's."""
    return Desk(resident, folder, f"many-{sha256_of(name)[:12]}")


def cases(count, first=1):
    return [{"id": f"c{number}", "prompt": f"Is it {number}?"} for number in range(first, first + count)]


def counts(summary):
    """What is told, without what is zero."""
    before = ("decided_before", "waiting_before")
    names = ("cases", "accepted", "reviews", "forms", "over_budget", "held", "failed", *before, "bad_lines")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}
