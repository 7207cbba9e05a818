"""What a check found, and what follows."""

from typing import Literal

from hitl_prefect.frozen import Frozen

__all__ = ["Check"]


class Check(Frozen):
    """One finding."""

    what: str
    state: Literal["ok", "warn", "fail"]
    found: str
    follows: str = ""
    """What to do, where something is to be done."""
