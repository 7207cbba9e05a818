"""The command line `hitl`: exit code 0 done, 1 failed, 2 wrong usage."""

import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from hitl_prefect._version import __version__
from hitl_prefect.cli.answering import answer, show
from hitl_prefect.cli.asking import ask
from hitl_prefect.cli.automations import init_automations
from hitl_prefect.cli.demo import demo
from hitl_prefect.cli.doctor import doctor
from hitl_prefect.cli.inbox import inbox
from hitl_prefect.cli.keys import keys
from hitl_prefect.cli.reviewers import reviewers
from hitl_prefect.cli.verifying import verify
from hitl_prefect.errors import HitlError

__all__ = ["app", "main"]

app = App(
    name="hitl",
    version=__version__,
    help="Human review for AI answers in Prefect flows: see what waits, answer it, check the set-up.",
    result_action="return_value",
)
for _command in (demo, ask, doctor, inbox, show, answer, keys, verify, reviewers, init_automations):
    app.command(_command)


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
    sys.stderr.write(f"hitl: {message}\n")
    return code
