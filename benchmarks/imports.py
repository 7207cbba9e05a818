"""What importing the package costs beyond `import prefect`: `python -m benchmarks.imports`.

Every Prefect process imports the module that the collections entry point names. Each line is the median of new
processes, taken in turn so that a machine whose speed drifts slows all of them alike.
"""

import statistics
import subprocess
import sys
import time

_LINES = {
    "import prefect": "import prefect",
    "+ hitl_prefect": "import prefect, hitl_prefect",
    "+ hitl_prefect.blocks (what Prefect itself loads)": "import prefect, hitl_prefect.blocks",
    "+ every public name": "import prefect; from hitl_prefect import *",
}
_ROUNDS = 9


def main() -> None:
    """Print the median of each line, and what it adds."""
    taken: dict[str, list[float]] = {name: [] for name in _LINES}
    for _ in range(_ROUNDS):
        for name, code in _LINES.items():
            taken[name].append(_seconds(code))
    base = statistics.median(taken["import prefect"])
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{name:52} {median * 1000:6.0f} ms  {(median - base) * 1000:+6.0f} ms  x {median / base:.2f}")


def _seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
