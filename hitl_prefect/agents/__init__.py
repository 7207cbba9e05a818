"""People approve what an agent is about to do: bridges from agent frameworks to the reviews of this package.

Nothing here loads a framework until one of its names is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hitl_prefect.agents.interrupts import areview_interrupt, review_interrupt
    from hitl_prefect.agents.pydantic_ai import areview_tool_calls, arun_agent, review_tool_calls, run_agent

__all__ = [
    "areview_interrupt",
    "areview_tool_calls",
    "arun_agent",
    "review_interrupt",
    "review_tool_calls",
    "run_agent",
]

_INTERRUPTS = ("areview_interrupt", "review_interrupt")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'interrupts' if name in _INTERRUPTS else 'pydantic_ai'}"), name)


def __dir__() -> list[str]:
    return __all__
