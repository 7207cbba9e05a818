"""`hitl report`."""

from pathlib import Path

from hitl_prefect.cli.forgetting import tell_forgotten
from hitl_prefect.cli.printing import AsJson, print_json, say, say_unreadable
from hitl_prefect.errors import ConfigError
from hitl_prefect.reporting import areport_trust
from hitl_prefect.shares import counted
from hitl_prefect.trust_tables import headline

__all__ = ["report"]


async def report(*, store: str, task: str | None = None, out: Path = Path("report.html"), json: AsJson = False) -> int:
    """Report how far each task's machine can be trusted, as one HTML page with pictures and tables.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        task: Only the outcomes of one task.
        out: The page; what stands there is replaced.
        json: Print JSON, and write no page.
    """
    found = await areport_trust(store, task=task)
    if not found.outcomes:
        where = f"{store}{f' for task {task!r}' if task else ''}"
        raise ConfigError(f"no outcome that can be read is stored in {where}: is it the right store?")
    if json:
        print_json(found)
        return 0
    from hitl_prefect.trust_page import as_html

    _write(out, as_html(found))
    for one in found.tasks:
        say(f"{one.task}: {headline(one)}.")
    say_unreadable(found.unreadable)
    say(f"{counted(len(found.tasks), 'task')} in {out}.")
    await tell_forgotten(store, task)
    return 0


def _write(out: Path, page: str) -> None:
    try:
        out.write_text(page, "utf-8")
    except OSError as exc:
        raise ConfigError(f"the report cannot be written to {str(out)!r}: {exc.strerror}; choose --out") from exc
