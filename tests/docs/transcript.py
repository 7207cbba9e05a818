"""What a page shows of a terminal, typed again: its commands run in one bash, and what it shows must come out."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Step", "run", "steps_of"]

_MARK = "@@ step"


class Step(NamedTuple):
    """A command, and the lines that the page shows of its output."""

    command: str
    shown: list[str]


def steps_of(page: Path) -> list[Step]:
    """Every command of the `console` blocks of a page."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    steps: list[Step] = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ "), []))
        else:
            steps[-1].shown.append(line)
    return steps


def run(steps: list[Step], folder: Path, environment: Mapping[str, str], *, timeout_s: float) -> list[list[str]]:
    """Type the commands one after the other, up to the first that fails.

    Returns:
        Of each step the shown lines that did not come out, in this order.
    """
    script, log = folder / "transcript.sh", folder / "transcript.log"
    typed = (f"echo '{_MARK} {number}'\n{_patiently(step.command)}" for number, step in enumerate(steps))
    script.write_text("\n".join(["set -em", *typed, f"echo '{_MARK} end'"]))
    with log.open("w") as out:
        subprocess.run(
            # A terminal does not ignore Ctrl-C, as a script's background does; Prefect's worker ends by it.
            ["env", "--default-signal=INT", "bash", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            timeout=timeout_s,
            check=False,
        )
    _, *said = re.split(rf"^{_MARK} \w+\n", log.read_text(), flags=re.MULTILINE)
    assert len(said) == len(steps) + 1, f"{steps[len(said) - 1].command!r} failed:\n{log.read_text()}"
    return [_missing(step.shown, told) for step, told in zip(steps, said, strict=False)]


def _patiently(command: str) -> str:
    """As a person types it: what runs in the background is looked at later, a file that is not there yet too."""
    if command.endswith(" &") and ">" not in command:
        return f"{command.removesuffix(' &')} >>background.log 2>&1 &"
    if "outcomes/" in command:
        return f"timeout 120 bash -c 'until {command} 2>/dev/null; do sleep 0.2; done'"
    return command


def _missing(shown: list[str], said: str) -> list[str]:
    told = iter(_masked(said).splitlines())
    return [line for line in map(_masked, shown) if not any(line in one for one in told)]


def _masked(text: str) -> str:
    """Without what differs from one time to the next: ids, seconds, and how far columns are apart."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"  +", " ", re.sub(r"\b\d+ s\b", "N s", text))
