"""`hitl init`."""

import shlex
from collections import Counter
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.project import LaidOut, lay_out

__all__ = ["init"]


def init(folder: Path, *, dry_run: Annotated[bool, Parameter(negative=())] = False, json: AsJson = False) -> int:
    """Lay out a project of your own: flows, blocks, deployments, one example with its test, and CI.

    Nothing is overwritten, and a second time changes nothing.

    Args:
        folder: Where; made where it is missing, and empty but for what is hidden in it.
        dry_run: Only list the files.
        json: Print JSON.
    """
    laid = lay_out(folder, dry_run=dry_run)
    if json:
        print_json({"folder": str(folder), "files": laid})
    elif dry_run:
        say(table([{"file": one.path, "is": _done(one)} for one in laid]))
    else:
        _tell(folder, laid)
    return 0


def _done(one: LaidOut) -> str:
    return "to create" if one.does == "create" else "as wanted"


def _tell(folder: Path, laid: list[LaidOut]) -> None:
    created = [one.path for one in laid if one.does == "create"]
    say(f"{folder} holds {len(laid)} files, {len(created)} of them new{':' if created else '.'}\n")
    if created:
        say(f"{table(_by_folder(created))}\n")
    say("What comes next, in that folder:\n")
    if folder.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(folder))}")
    say("  python -m pip install --requirement requirements.txt")
    say("  python -m pytest")
    say("\nREADME.md goes on from there to a deployment with a schedule.")


def _by_folder(paths: list[str]) -> list[dict[str, object]]:
    counts = Counter(f"{path.partition('/')[0]}/" if "/" in path else path for path in paths)
    return [{"new": name, "files": number} for name, number in counts.items()]
