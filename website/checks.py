"""What must hold of the pages and the built site beyond what the builder checks; a check gives problems, or nothing."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import hitl_prefect

__all__ = ["problems_of"]

_LOADED = {"iframe": "src", "img": "src", "link": "href", "script": "src", "source": "src", "video": "src"}
"""What a browser fetches by itself, and the attribute that says from where."""
_IMPORTS = re.compile(r"^from (hitl_prefect\.[\w.]+) import ([\w, ]+)$", re.MULTILINE)
_WIDGETS = {"glightbox", "mermaid", "pyodide"}
"""Classes of elements for which the theme's script fetches a library from elsewhere."""
_CSS_LOADS = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\s\"')]+)")


@dataclass(eq=False)
class _Page(HTMLParser):
    """One built page: what it links to and loads, and where one can link to in it."""

    links: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)
    titles: int = 0
    description: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says of the page."""
        given = {name: value or "" for name, value in attrs}
        self.titles += tag == "h1"
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.links |= {given["href"]} if tag == "a" and "href" in given else set()
        self.loads |= {
            f"https://unpkg.com/{widget}" for widget in _WIDGETS.intersection(given.get("class", "").split())
        }
        self.loads |= {given[_LOADED[tag]]} if _LOADED.get(tag) in given else set()
        if tag == "meta" and given.get("name") == "description":
            self.description = given.get("content", "")


def problems_of(root: Path, site: Path) -> list[str]:
    """What is wrong with the pages of a project, and with the site that was built of them.

    Args:
        root: The folder of `zensical.toml`.
        site: Where the builder put the pages.
    """
    site = site.resolve()
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    return [*_nav_problems(root), *_page_problems(site, pages), *_name_problems(root, pages), *_style_problems(site)]


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page


def _nav_problems(root: Path) -> Iterator[str]:
    named = list(_entries(tomllib.loads((root / "zensical.toml").read_text("utf-8"))["project"]["nav"]))
    there = {path.relative_to(root / "docs").as_posix() for path in root.glob("docs/**/*.md")}
    yield from (f"docs/{page} is in no line of `nav` in zensical.toml: add one" for page in sorted(there - {*named}))
    yield from (f"`nav` in zensical.toml names {page!r}, which is not in docs/" for page in named if page not in there)


def _entries(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _entries(part)


def _page_problems(site: Path, pages: Mapping[Path, _Page]) -> Iterator[str]:
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        yield from (f"{name} loads {url} from elsewhere" for url in sorted(page.loads) if urlsplit(url).netloc)
        if name == "404.html":
            continue  # shown at any address: it has no text of ours, and its links begin at the root
        if page.titles != 1:
            yield f"{name} has {page.titles} titles (h1) instead of one"
        if not page.description:
            yield f"{name} has no description: let a paragraph follow the title"
        leading_nowhere = (
            url for url in sorted(page.links | page.loads) if not _leads_somewhere(site, path, url, pages)
        )
        yield from (f"{name}: {url} leads nowhere" for url in leading_nowhere)


def _leads_somewhere(site: Path, path: Path, url: str, pages: Mapping[Path, _Page]) -> bool:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return True
    target = Path(path.parent, unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if target not in pages:
        return target.is_file() and target.is_relative_to(site)
    return not parts.fragment or unquote(parts.fragment) in pages[target].anchors


def _name_problems(root: Path, pages: Mapping[Path, _Page]) -> Iterator[str]:
    """Names that no page of the reference tells about; twins are told with their other half."""
    anchors = set[str]().union(*(page.anchors for page in pages.values()))
    public = {f"hitl_prefect.{name}" for name in hitl_prefect.__all__ if name != "__version__"}
    twins = {f"hitl_prefect.a{name.removeprefix('hitl_prefect.')}" for name in public}
    untold = sorted((public - twins | _shown_names(root)) - anchors)
    flows = {path.stem for path in root.glob("flows/*.py")} - {anchor.partition(".")[0] for anchor in anchors}
    yield from (f"no page of docs/reference holds `::: {name}`" for name in untold)
    yield from (f"no page of docs/reference holds the flow of flows/{name}.py" for name in sorted(flows))


def _shown_names(root: Path) -> set[str]:
    """What the pages and the flows import from modules of the package."""
    shown = (path.read_text("utf-8") for path in (*root.glob("docs/**/*.md"), *root.glob("flows/*.py")))
    imports = (found for text in shown for found in _IMPORTS.findall(text))
    return {f"{module}.{name.strip()}" for module, names in imports for name in names.split(",")}


def _style_problems(site: Path) -> Iterator[str]:
    for path in sorted(site.rglob("*.css")):
        for url in _CSS_LOADS.findall(path.read_text("utf-8")):
            yield f"{path.relative_to(site).as_posix()} loads {url} from elsewhere"
