"""`hitl doctor`."""

from hitl_prefect.checks import acheck_all
from hitl_prefect.cli.printing import AsJson, print_json, say, table

__all__ = ["doctor"]


async def doctor(*store: str, json: AsJson = False) -> int:
    """Check what a deployment needs; exit code 1 where something must be changed.

    Args:
        store: Stores to test with a race of 16 writers: names of saved blocks, folder: paths, s3:// URLs.
        json: Print JSON.
    """
    checks = await acheck_all(store)
    if json:
        print_json({"checks": checks})
    else:
        say(table([check.model_dump() for check in checks]))
    return int(any(check.state == "fail" for check in checks))
