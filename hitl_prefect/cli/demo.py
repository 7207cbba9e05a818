"""`hitl demo`: the whole job on this machine, with nothing but what the package brings."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_UI_URL, temporary_settings

from hitl_prefect.cli.inbox import waiting_table
from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, table
from hitl_prefect.demo.processes import PrefectServer, prefect_server, served_flow
from hitl_prefect.demo.second_round import LEARNS, SecondRound, second_round
from hitl_prefect.demo.story import (
    answer_by_script,
    outcomes_in,
    read_messages,
    send,
    until_answered,
    until_settled,
)
from hitl_prefect.inbox import ainbox
from hitl_prefect.outcomes import Outcome
from hitl_prefect.project import project_folder
from hitl_prefect.providers import provider_for
from hitl_prefect.providers.embedded import held_out_accuracy
from hitl_prefect.shares import counted

__all__ = ["demo"]

Tell = Callable[[str], None]
"""Where lines for people go."""


async def demo(
    *,
    auto: bool = False,
    model: str = "embedded:support",
    folder: Path = Path("hitl-demo"),
    json: AsJson = False,
) -> int:
    """Send support messages through a real Prefect server; a person decides where the model is unsure.

    What was decided then trains a classifier, and a second round tells whether people would be asked less.

    Args:
        auto: A scripted reviewer answers. Without a terminal it does so anyway.
        model: Who drafts the answers, such as openai:gpt-5-mini with OPENAI_API_KEY set.
        folder: Where this run's own folder is made.
        json: Print the outcomes as JSON, and all else to stderr.
    """
    started, tell = time.monotonic(), say_aside if json else say
    provider_for(model)
    place = (folder / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")).resolve()
    by_script = auto or not sys.stdin.isatty()
    messages = read_messages(1)
    tell(f"Starting a Prefect server of its own in {place} …")
    with prefect_server(place / "prefect") as server, _talking_to(server):
        tell(f"Prefect UI: {server.ui_url}\n\nSending {len(messages)} support messages through {model} …")
        script = project_folder() / "flows" / "resolve_case.py"
        with served_flow(server, script):
            _introduce(model, tell)
            sent = await send(messages, model=model, outcomes=place / "outcomes")
            await until_settled(sent, tell, waiting_counts=True)
            await _ask(server, tell, by_script=by_script)
            if by_script:
                await answer_by_script(sent, tell)
            else:
                await until_answered(sent, tell)
            await until_settled(sent, _quietly, waiting_counts=False)
    outcomes = outcomes_in(place / "outcomes")
    learnt = await second_round(outcomes, folder=place / "outcomes") if model == LEARNS else None
    if json:
        print_json({"outcomes": outcomes, "second_round": learnt})
    _conclude(outcomes, tell)
    if learnt:
        _compare(learnt, tell)
    tell(f"\nThey are in {place / 'outcomes'}")
    tell(f"Everything that was started is stopped. {time.monotonic() - started:.0f} s")
    return 0


def _introduce(model: str, tell: Tell) -> None:
    if model.startswith("embedded:"):
        tell(f"It is a small classifier: right on {held_out_accuracy():.2f} of the messages held out of its training.")


def _quietly(line: str) -> None:
    """The outcomes come next, and tell it all."""


async def _ask(server: PrefectServer, tell: Tell, *, by_script: bool) -> None:
    waiting = await ainbox()
    tell(f"\n{len(waiting)} wait for a person:\n\n{waiting_table(waiting)}\n")
    if by_script:
        tell("No person at a terminal: a script answers through the same endpoint as the Prefect UI.")
    elif waiting:
        tell("Open a link, then Resume (in the three-dots menu at the top right), or in another terminal:")
        tell(f"  PREFECT_API_URL={server.api_url} hitl answer {waiting[0].run_id} --decision approve\n")


def _conclude(outcomes: list[Outcome[str]], tell: Tell) -> None:
    rows = [
        {
            "case": one.case.id,
            "model said": one.generation.answer,
            "confidence": one.score.confidence,
            "decision": one.decision,
            "decided by": one.decided_by,
            "final answer": one.final_answer,
        }
        for one in outcomes
    ]
    tell(f"\n{len(outcomes)} outcomes:\n\n{table(rows)}")


def _compare(learnt: SecondRound, tell: Tell) -> None:
    answers, shipped = counted(learnt.learnt_from, "answer"), counted(learnt.shipped, "message")
    rows = [
        {"round": one.name, "asks a person about": one.asked, "wrong among the accepted": one.wrong}
        for one in learnt.rounds
    ]
    further, before, after = learnt.rounds[-1].asked.of, learnt.others_before, learnt.others_after
    tell(f"\nSecond round: a classifier learns from {shipped} of the package, and once more with {answers} from above.")
    tell(f"Each gets {further} further messages of the same kinds, by the same bar; no flow runs, but this process:")
    tell(f"\n{table(rows)}\n")
    tell(f"Of messages kept out of both trainings, {before} are right before learning and {after} after.")


@contextmanager
def _talking_to(server: PrefectServer) -> Iterator[None]:
    settings = {PREFECT_API_URL: server.api_url, PREFECT_UI_URL: server.ui_url, PREFECT_HOME: str(server.home)}
    with temporary_settings(settings):
        yield
