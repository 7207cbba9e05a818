"""Pictures of what a person sees, for the docs."""

import os
from pathlib import Path

from tests.browser.pages import ResumeForm, V1Form

__all__ = ["picture"]

_IMAGES = Path(__file__).parents[2] / "docs" / "images"


def picture(ui: ResumeForm, name: str, folder: Path) -> None:
    """Take `name-v1.png` or `name-v2.png`; `HITL_KEEP_SCREENSHOTS=1` (`make screenshots`) puts it into the docs."""
    kept = os.environ.get("HITL_KEEP_SCREENSHOTS") == "1"
    ui.screenshot((_IMAGES if kept else folder) / f"{name}-{'v1' if isinstance(ui, V1Form) else 'v2'}.png")
