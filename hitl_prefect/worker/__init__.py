"""The worker of type `hitl`: runs resumed reviews inside one resident process, instead of a new one for each.

Named in the entry point group `prefect.collections`, so that `prefect worker start --type hitl` finds it. Prefect loads
that group also where it only looks for a block, and its own worker module takes 0.1 s to import: the class is defined
at once where that module is there already, as in every command about workers, and else when it is asked for.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitl_prefect.worker.resident import HitlWorker

__all__ = ["HitlWorker"]

if "prefect.workers.base" in sys.modules:
    from hitl_prefect.worker.resident import HitlWorker


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hitl_prefect.worker.resident import HitlWorker

    return HitlWorker
