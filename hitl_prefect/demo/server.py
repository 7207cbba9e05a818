"""`prefect server`, with garbage collected beside its event loop.

On SQLite the server's threads wait for the lock of the database inside their connections. The statements that an error
left behind are freed by Python's garbage collector, which waits for their connection first. In the thread of the event
loop, where it usually runs, nobody then goes on who could give the lock back: with Prefect 3.8.8 the server stood still
for the 60 s that SQLite waits, in 6 of 8 drains of 200 to 300 reviews.
"""

import gc
import sys
import time
from threading import Thread

__all__ = ["main"]

_YOUNG = 1
_YOUNG_S = 1.0
_ALL_S = 30.0


def main() -> None:
    """Run `prefect server` with the arguments of this process."""
    gc.disable()
    Thread(target=_collect, name="garbage", daemon=True).start()
    from prefect.cli import app

    sys.argv[1:1] = ["server"]
    app()


def _collect() -> None:
    """What is young each second, and all of it now and then: that takes a while."""
    while True:
        for _ in range(int(_ALL_S / _YOUNG_S)):
            time.sleep(_YOUNG_S)
            gc.collect(_YOUNG)
        gc.collect()


if __name__ == "__main__":
    main()
