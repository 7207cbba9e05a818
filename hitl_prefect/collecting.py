"""Python's garbage collector, kept from looking again and again at what stays anyway."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["left_alone", "uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is collected within the block; for an import, which makes a lot and drops nothing.

    To import an SDK takes a third less time so.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def left_alone() -> Iterator[None]:
    """What is there when the block begins is not looked at within it; what is made meanwhile is collected as ever.

    For thousands of cases in one process: the modules and schemas that they need, a million objects, are looked
    through for garbage many times otherwise. Where somebody has frozen something already, that is left as it is: Python
    cannot thaw a part.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
