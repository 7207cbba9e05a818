"""`hitl doctor`."""

from collections import Counter
from collections.abc import Sequence

from hitl_prefect.checks import Check, acheck_all
from hitl_prefect.cli.printing import AsJson, one_line, print_json, say

__all__ = ["doctor"]

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


async def doctor(*store: str, json: AsJson = False) -> int:
    """Check what a deployment needs; exit code 1 where something must be changed.

    Args:
        store: Stores to test with a race of 16 writers: names of saved blocks, folder: paths, s3:// URLs. Default: the
            buckets that deployments name.
        json: Print JSON.
    """
    checks = await acheck_all(store)
    if json:
        print_json({"checks": checks})
    else:
        say(_told(checks))
    return int(any(check.state == "fail" for check in checks))


def _told(checks: Sequence[Check]) -> str:
    width = max(len(one_line(check.what)) for check in checks)
    lines = [line for check in checks for line in _lines(check, width)]
    count = Counter(check.state for check in checks)
    ends = [
        f"{count['fail']} to mend" if count["fail"] else "",
        f"{count['warn']} to think about" if count["warn"] else "",
    ]
    return "\n".join([*lines, "", ", ".join(filter(None, ends)) or "All is well."])


def _lines(check: Check, width: int) -> list[str]:
    """One line for what was found, and one for what to do about it."""
    found = f"{_MARKS[check.state]}  {one_line(check.what).ljust(width)}  {one_line(check.found)}"
    return [found, f"{' ' * (width + 8)}-> {one_line(check.follows)}"] if check.follows else [found]
