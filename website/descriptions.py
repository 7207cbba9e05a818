"""A Markdown extension: a page's first paragraph is its description, for search engines and links that are shared."""

from textwrap import shorten
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from zensical.extensions.context import ContextPreprocessor

__all__ = ["makeExtension"]

_LONGEST = 200


class _Descriptions(Treeprocessor):
    def run(self, root: Element) -> None:
        context, first = ContextPreprocessor.from_markdown(self.md), root.find("p")
        # Docstrings go through Markdown on their own, before the page that holds them: the page has the last word.
        if context is not None and first is not None:
            context.page.meta["description"] = shorten("".join(first.itertext()), _LONGEST, placeholder=" …")


class _DescriptionsExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the name is Markdown's
        # After inline Markdown (20), so that no marks of it are left in the text.
        md.treeprocessors.register(_Descriptions(md), "hitl_descriptions", 15)


def makeExtension(**settings: object) -> Extension:  # noqa: N802 - the name is Markdown's
    """What Markdown looks for in a module that is named as an extension."""
    return _DescriptionsExtension(**settings)
