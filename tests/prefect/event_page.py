"""What docs/events.md says that events hold."""

import re
from pathlib import Path

__all__ = ["documented", "documented_of_review"]

_PAGE = Path(__file__).parents[2] / "docs/events.md"
_OF_SETTLED = {"decision", "decided_by"}
_IF_NAMED = {"prompt", "draft"}


def documented(section: str) -> set[str]:
    """The fields that the table below a heading names."""
    table = _PAGE.read_text("utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {field for cell in first_cells for field in re.findall("`([a-z_]+)`", cell)}


def documented_of_review(name: str, *, with_words: bool = False) -> set[str]:
    """Those of `hitl.review.<name>`; `with_words`: of a policy that lets prompt and draft out."""
    absent = (set() if name == "settled" else _OF_SETTLED) | (set() if with_words else _IF_NAMED)
    return documented("hitl.review") - absent
