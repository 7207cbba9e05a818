"""`hitl demo`: the whole job on this machine, with nothing but what the package brings."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_UI_URL, temporary_settings

from hitl_prefect.cli.answering import waiting_table
from hitl_prefect.cli.printing import say, table
from hitl_prefect.demo.processes import PrefectServer, prefect_server, served_flow
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
from hitl_prefect.providers.embedded import held_out_accuracy

__all__ = ["demo"]

_AT_A_TIME = 4


async def demo(*, auto: bool = False, model: str = "embedded:support", folder: Path = Path("hitl-demo")) -> int:
    """Send support messages through a real Prefect server; a person decides where the model is unsure.

    Args:
        auto: A scripted reviewer answers. Without a terminal it does so anyway.
        model: Who drafts the answers, such as openai:gpt-5-mini with OPENAI_API_KEY set.
        folder: Where this run's own folder is made.
    """
    started = time.monotonic()
    place = (folder / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")).resolve()
    by_script = auto or not sys.stdin.isatty()
    messages = read_messages()
    say(f"Starting a Prefect server of its own in {place} …")
    with prefect_server(place / "prefect") as server, _talking_to(server):
        say(f"Prefect UI: {server.ui_url}\n\nSending {len(messages)} support messages through {model} …")
        script = project_folder() / "flows" / "resolve_case.py"
        with served_flow(server, script, limit=_AT_A_TIME):
            _introduce(model)
            sent = await send(messages, model=model, outcomes=place / "outcomes")
            await until_settled(sent, say, waiting_counts=True)
            await _ask(server, by_script=by_script)
            if by_script:
                await answer_by_script(sent, say)
            else:
                await until_answered(say)
            await until_settled(sent, _quietly, waiting_counts=False)
    _conclude(outcomes_in(place / "outcomes"), place / "outcomes", time.monotonic() - started)
    return 0


def _introduce(model: str) -> None:
    if model.startswith("embedded:"):
        say(f"It is a small classifier: right on {held_out_accuracy():.2f} of the messages held out of its training.")


def _quietly(line: str) -> None:
    """The outcomes come next, and tell it all."""


async def _ask(server: PrefectServer, *, by_script: bool) -> None:
    waiting = await ainbox()
    say(f"\n{len(waiting)} wait for a person:\n\n{waiting_table(waiting)}\n")
    if by_script:
        say("No person at a terminal: a script answers through the same endpoint as the Prefect UI.")
    elif waiting:
        say("Open a link, then Resume (in the three-dots menu at the top right), or in another terminal:")
        say(f"  PREFECT_API_URL={server.api_url} hitl answer {waiting[0].run_name} --decision approve\n")


def _conclude(outcomes: list[Outcome[str]], folder: Path, seconds: float) -> None:
    say(f"\n{len(outcomes)} outcomes:\n")
    say(
        table(
            [
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
        )
    )
    say(f"\nThey are in {folder}\nEverything that was started is stopped. {seconds:.0f} s")


@contextmanager
def _talking_to(server: PrefectServer) -> Iterator[None]:
    settings = {PREFECT_API_URL: server.api_url, PREFECT_UI_URL: server.ui_url, PREFECT_HOME: str(server.home)}
    with temporary_settings(settings):
        yield
