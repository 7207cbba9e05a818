"""Who runs a review: written into the very states that say so, so that no crash leaves one without the other."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Self
from uuid import uuid4

from pydantic import Field

from hitl_prefect.frozen import Frozen

__all__ = ["Claim"]

_WRITTEN = re.compile(r"by worker (?P<worker>.+), process (?P<place>[0-9a-f]+)\.(?P<pid>\d+)\.(?P<began>\d+)", re.S)
_STAT_BEGAN = 19
"""Where `/proc/PID/stat` says when the process began, counted behind its name, which may hold blanks."""


class Claim(Frozen):
    """A worker's process, as its runs name it in the message of their state Running, and Pending where they have it.

    >>> Claim.of("by worker w, process 0a1b.7.42")
    Claim(worker='w', place='0a1b', pid=7, began=42)
    """

    worker: str
    """The worker's name; Prefect keeps its last heartbeat under it."""
    place: str
    """The machine since it was started, and the container in it: where a process id means something."""
    pid: int = Field(ge=0)
    began: int = Field(ge=0)
    """When the process began, in ticks since the machine started: process ids are used again."""

    @classmethod
    def mine(cls, worker: str) -> Self:
        """The claim of a worker in this process."""
        return cls(worker=worker, place=_place(), pid=os.getpid(), began=_began(os.getpid()) or 0)

    @classmethod
    def of(cls, message: str | None) -> Self | None:
        """The claim that a state's message holds, if any."""
        found = _WRITTEN.fullmatch(message or "")
        return cls.model_validate(found.groupdict()) if found else None

    @property
    def written(self) -> str:
        """As a state's message."""
        return f"by worker {self.worker}, process {self.place}.{self.pid}.{self.began}"

    def is_dead_here(self) -> bool | None:
        """Whether the process has ended; `None` where it runs elsewhere, so that only its heartbeat can tell."""
        if self.place != _place():
            return None
        return _began(self.pid) != self.began


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
        # Two containers may have the same host name, and both a process 7.
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        # Not Linux: nobody can tell from here, which leaves the heartbeat.
        return uuid4().hex[:16]
    return f"{boot[:8]}{int(re.sub(r'[^0-9]', '', space)):x}"


def _began(pid: int) -> int | None:
    """When a process began; `None` where there is none, or it has ended and only its parent has not noticed."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if told[0] in "ZX" else int(told[_STAT_BEGAN])
