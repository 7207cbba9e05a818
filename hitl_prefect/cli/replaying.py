"""`hitl replay`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from hitl_prefect.cli.forgetting import tell_forgotten
from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, say_unreadable, table
from hitl_prefect.configured import store_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.estimates import ErrorRate
from hitl_prefect.policy_files import read_policy
from hitl_prefect.replaying import Replay, TaskReplay
from hitl_prefect.replaying import replay as replay_store
from hitl_prefect.shares import counted

__all__ = ["replay"]


async def replay(
    *, store: str, policy: Path, task: str | None = None, max_error: float | None = None, json: AsJson = False
) -> int:
    """Show what another policy would have done with the stored cases; exit code 1 where the risk would rise.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        policy: The new policy, as a YAML or JSON file.
        task: Only the cases of one task.
        max_error: The largest error rate among accepted cases that is allowed; else the policy's own, else today's.
        json: Print JSON.
    """
    if max_error is not None and not 0 <= max_error <= 1:
        raise ConfigError(f"--max-error {max_error} is no error rate: give a number between 0 and 1")
    source = await store_of(store)
    found = await asyncio.to_thread(replay_store, source, read_policy(policy), task=task, max_error=max_error)
    if not found.tasks:
        where = f"{source.url}{f' for task {task!r}' if task else ''}"
        raise ConfigError(f"no outcome that can be read is stored in {where}: is it the right store?")
    if json:
        print_json({**found.model_dump(mode="json"), "is_safe": found.is_safe})
    else:
        _tell(found)
        await tell_forgotten(store, task)
    return int(not found.is_safe)


def _tell(found: Replay) -> None:
    say_unreadable(found.unreadable)
    for one in found.tasks:
        say(f"Task {one.task}, {one.cases:,} cases:\n\n{table(list(_rows(one)))}\n")
        if one.scored_otherwise:
            say_aside(
                f"{counted(one.scored_otherwise, 'case')} of task {one.task} replayed with a stored score that the new "
                "policy would not give: by other scorers, or combined otherwise."
            )
        say(f"The risk {_VERDICTS[one.verdict]}: {one.why}.\n")


_VERDICTS = {"holds": "does not rise", "rises": "RISES", "unknown": "is UNKNOWN"}


def _rows(one: TaskReplay) -> Iterator[dict[str, str]]:
    saved = one.reviews_before - one.reviews_after
    yield {"": "reviews", "today": f"{one.reviews_before:,}", "new policy": f"{one.reviews_after:,} ({-saved:+,})"}
    yield {"": "newly reviewed", "today": "", "new policy": f"{one.newly_reviewed:,}"}
    yield {"": "newly accepted", "today": "", "new policy": f"{one.newly_accepted:,}"}
    yield {"": "  nobody decided", "today": "", "new policy": f"{one.unlabelled:,}"}
    yield {"": "  wrong among them", "today": "", "new policy": _rate(one.error_of_new) if one.newly_accepted else "-"}
    yield {"": "wrong among accepted", "today": _rate(one.error_before), "new policy": _rate(one.error_after)}


def _rate(rate: ErrorRate | None) -> str:
    return "unknown" if rate is None else f"{rate}"
