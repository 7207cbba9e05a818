"""A Markdown extension: the line `::: commands` becomes the reference of the command line `hitl`."""

import re

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

from hitl_prefect.cli import app

__all__ = ["makeExtension", "reference"]

_MARK = "::: commands"
# What a flag is when nobody gives it goes without saying.
_EMPTY_DEFAULT = re.compile(r" \*\[default: (?:False|\"\"|\(\))\]\*")


def reference() -> str:
    """Every command of `hitl` with its arguments, as Markdown with headings from the second level on."""
    whole = app.generate_docs(output_format="markdown", heading_level=1)
    # Before the first command stand the program's own name, help and contents, which the page has.
    return _EMPTY_DEFAULT.sub("", whole[whole.index("\n## hitl ") + 1 :])


class _Commands(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        return [one for line in lines for one in (reference().splitlines() if line == _MARK else [line])]


class _CommandsExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the name is Markdown's
        # After the snippets (32), and before fences (25) become placeholders.
        md.preprocessors.register(_Commands(md), "hitl_commands", 31)


def makeExtension(**settings: object) -> Extension:  # noqa: N802 - the name is Markdown's
    """What Markdown looks for in a module that is named as an extension."""
    return _CommandsExtension(**settings)
