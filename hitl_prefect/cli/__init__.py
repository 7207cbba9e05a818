"""The command line `hitl`: exit code 0 done, 1 failed, 2 wrong usage."""

import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from hitl_prefect._version import __version__
from hitl_prefect.errors import HitlError
from hitl_prefect.inert import visible

__all__ = ["app", "main"]

app = App(
    name="hitl",
    version=__version__,
    help="Human review for AI answers in Prefect flows: see what waits, answer it, check the set-up.",
    result_action="return_value",
)
_COMMANDS = {
    "demo:demo": (
        "Send support messages through a real Prefect server; a person decides where the model is unsure.\n\n"
        "What was decided then trains a classifier, and a second round tells whether people would be asked less."
    ),
    "init:init": (
        "Lay out a project of your own: flows, blocks, deployments, one example with its test, and CI.\n\n"
        "Nothing is overwritten, and a second time changes nothing."
    ),
    "asking:ask": "Ask a model once, and show how sure each scorer is of its answer. Nothing is stored.",
    "doctor:doctor": "Check what a deployment needs; exit code 1 where something must be changed.",
    "inbox:inbox": (
        "List what waits for a person, the most urgent first: unknown or high expected loss, then the deadline, "
        "then age."
    ),
    "answering:show": "Show what a person is asked.",
    "answering:answer": (
        "Answer one waiting flow run, or with `--task` or `--where` many. Without `--decision` you are asked."
    ),
    "running:run": (
        "Start a run of a deployment; with `--wait` the exit code says what was decided.\n\n"
        "With --wait: 0 accepted or approved, 1 failed, 3 rejected or decided by the policy alone, 4 still "
        "waiting. Progress goes to stderr. Without --wait the id of the run is printed, for `hitl wait`."
    ),
    "running:wait": "Wait until a flow run has ended; the exit code says what was decided, as of `hitl run --wait`.",
    "keys:keys": "Make and list the keys that reviewers sign with.",
    "verifying:verify": (
        "Check that stored outcomes are what was decided and signed; exit code 1 where one is not.\n\n"
        "It needs no network and no Prefect server for a folder: copy and policies that are JSON files."
    ),
    "sealing:seal": (
        "Name the outcomes of past days in the ledger, so that `hitl verify` finds any change.\n\n"
        "Exit code 1 where an outcome could not be read."
    ),
    "forgetting:forget": (
        "Forget a case: a tombstone in place of its outcome, and its copies and its flow run are deleted.\n\n"
        "Exit code 1 where something of it remains, which is named."
    ),
    "calibrating:calibrate": (
        "Find the bars that keep what the policies promise, and put them in force for runs that begin from now."
    ),
    "reviewers:reviewers": "Report how people review: overriding, agreement, mistakes let pass, anchoring, time.",
    "examples:examples": "Try whether a model answers better when it is shown earlier cases as people decided them.",
    "exporting:export": "Write what people decided as files to train a model on.",
    "trust:report": "Report how far each task's machine can be trusted, as one HTML page with pictures and tables.",
    "replaying:replay": (
        "Show what another policy would have done with the stored cases; exit code 1 where the risk would rise."
    ),
    "compacting:compact": (
        "Copy the outcomes of past days into Parquet, for quick reading and for SQL; nothing is moved or deleted."
    ),
    "training:train": (
        "Train a classifier on what people decided, and store it as the next version of the task's model."
    ),
    "worker:worker": (
        "Run the reviews that people have answered, in this process, until Ctrl-C.\n\n"
        "Start it in the folder of the project: the types of answers are found from there."
    ),
    "automations:init_automations": (
        "Have people told about reviews and alarms: one automation of Prefect per event, safe to run twice."
    ),
}
"""Where each command stands below `hitl_prefect.cli`, and its docstring up to the arguments.

The list of commands shows the first paragraph.
"""
for _place, _help in _COMMANDS.items():
    # Loaded when it is run: most need Prefect, which takes a second to import.
    app.command(f"hitl_prefect.cli.{_place}", help=_help)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    for end in (signal.SIGTERM, signal.SIGHUP):
        # So that what was started is stopped, also when the terminal is closed.
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return int(app(arguments, exit_on_error=False, print_error=False) or 0)
    except CycloptsError as exc:
        return _complain(f"{exc}\nTry `hitl --help`.", 2)
    except HitlError as exc:
        return _complain(str(exc), 1)
    except BrokenPipeError:
        # Whoever read our output has had enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _complain(message: str, code: int) -> int:
    # Messages name cases, people and files, and quote what was typed.
    sys.stderr.write(visible(f"hitl: {message}\n"))
    return code
