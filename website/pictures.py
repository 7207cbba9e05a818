"""A Markdown extension: a picture is a link to itself, since a screenshot is too small to read within a page."""

from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor

__all__ = ["makeExtension"]


class _Pictures(Treeprocessor):
    def run(self, root: Element) -> None:
        for parent in list(root.iter()):
            if parent.tag == "a":
                continue
            for place, child in enumerate(list(parent)):
                if child.tag == "img":
                    link = Element("a", href=child.get("src", ""))
                    link.tail, child.tail = child.tail, None
                    link.append(child)
                    parent[place] = link


class _PicturesExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the name is Markdown's
        # After inline Markdown (20) has made the pictures.
        md.treeprocessors.register(_Pictures(md), "hitl_pictures", 14)


def makeExtension(**settings: object) -> Extension:  # noqa: N802 - the name is Markdown's
    """What Markdown looks for in a module that is named as an extension."""
    return _PicturesExtension(**settings)
