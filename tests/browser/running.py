"""Flow runs beside an open browser: Playwright keeps the thread of a test, and a flow needs one of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["beside"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def beside(do: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """What `do` returns, done in another thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(do, *args, **kwargs).result()
