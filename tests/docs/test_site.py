"""The documentation site builds strictly, and nothing in it leads nowhere or is loaded from elsewhere."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from hitl_prefect import __version__
from hitl_prefect.cli import app
from website.checks import problems_of
from website.commands import reference
from website.docstrings import with_examples

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
GOOD = """<html><head><meta name="description" content="d"></head><body><h1 id="top">T</h1>{}</body></html>"""
NOWHERE = "[a page](nowhere.md) [an anchor](#nothing) [a name][hitl_prefect.Nobody]"


class Made(NamedTuple):
    """What a build said, and where its pages are."""

    done: subprocess.CompletedProcess[str]
    site: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """What `make docs` makes, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    for name in ("CHANGELOG.md", "flows", "hitl_prefect", "website"):
        (folder / name).symlink_to(ROOT / name)
    return Made(python("-m", "website", cwd=folder), folder / "site")


def test_the_whole_site_builds_and_passes_its_checks(made):
    """Strictly: every link, anchor, name, page and asset."""
    assert made.done.returncode == 0, made.done.stdout


def test_the_reference_tells_all_about_a_function_by_its_shorter_name(made):
    """Its docstring only names its async twin, which has what there is to say; doctests are examples there."""
    page = (made.site / "reference" / "learning" / "index.html").read_text("utf-8")
    section = page[page.index('id="hitl_prefect.pin_policy"') :]

    assert "In async code: <code>await apin_policy(...)</code>." in section
    assert section.index("Parameters:") < section.index("Training files and examples")


def test_the_builder_refuses_what_leads_nowhere(tmp_path):
    """A page, an anchor, and a name of the reference."""
    project(tmp_path, nav='["index.md"]', pages={"index.md": f"# Title\n\n{NOWHERE}\n"})
    done = python("-m", "zensical", "build", "--strict", cwd=tmp_path)

    assert done.returncode != 0
    assert "page does not exist" in done.stdout
    assert "anchor does not exist" in done.stdout
    assert "unresolved autoref" in done.stdout


def test_checks_name_what_is_wrong_with_a_page(tmp_path):
    """Links, anchors, foreign assets, titles, descriptions, the navigation."""
    site = project(tmp_path, nav='["index.md", "gone.md"]', pages={"index.md": "", "lost.md": ""})
    links = ("a/#nothing", "b/", "a/#top", "../docs/index.md", "https://example.com/any")
    (site / "index.html").write_text(GOOD.format("".join(f'<a href="{link}">a</a>' for link in links)))
    (site / "a").mkdir()
    (site / "a" / "index.html").write_text(
        '<h1 id="top">A</h1><h1>B</h1><script src="https://cdn.example/x.js"></script><pre class="mermaid">'
    )
    (site / "style.css").write_text("@import url('//fonts.example/x.css'); a { background: url(own.png) }")

    assert [problem for problem in problems_of(tmp_path, site) if "::: hitl_prefect" not in problem] == [
        "docs/lost.md is in no line of `nav` in zensical.toml: add one",
        "`nav` in zensical.toml names 'gone.md', which is not in docs/",
        "a/index.html loads https://cdn.example/x.js from elsewhere",
        "a/index.html loads https://unpkg.com/mermaid from elsewhere",
        "a/index.html has 2 titles (h1) instead of one",
        "a/index.html has no description: let a paragraph follow the title",
        "index.html: ../docs/index.md leads nowhere",
        "index.html: a/#nothing leads nowhere",
        "index.html: b/ leads nowhere",
        "style.css loads //fonts.example/x.css from elsewhere",
    ]


def test_a_public_name_without_a_place_in_the_reference_is_named(tmp_path):
    """Also one of a module that an example imports; a twin is told about by its other half."""
    example = "from hitl_prefect.stores import FolderStore, store_for"
    site = project(tmp_path, nav='["index.md"]', pages={"index.md": f"```python\n{example}\n```\n"})
    (site / "index.html").write_text(GOOD.format('<h2 id="hitl_prefect.Case"></h2>'))
    problems = problems_of(tmp_path, site)

    assert "no page of docs/reference holds `::: hitl_prefect.resolve_case`" in problems
    assert "no page of docs/reference holds `::: hitl_prefect.stores.store_for`" in problems
    assert not [problem for problem in problems if "aresolve_case" in problem or "prefect.Case`" in problem]


def test_the_reference_of_the_command_line_has_every_command():
    """It is made of the program itself, and says what its help says."""
    text = reference()

    assert [name for name in app if not name.startswith("-") and f"\n## hitl {name}\n" not in f"\n{text}"] == []
    assert "`--decision CHOICE`: approve, edit, reject, retry or escalate." in text


def test_doctests_become_a_section_of_their_docstring():
    """Markdown would take `>>>` for three quotations inside each other."""
    told = "Its name.\n\nReturns:\n    A text.\n\n>>> a\n1\n\n>>> b\n2"

    assert (
        with_examples(told)
        == "Its name.\n\nReturns:\n    A text.\n\nExamples:\n    >>> a\n    1\n    \n    >>> b\n    2"
    )
    assert with_examples("Its name.") == "Its name."


def test_the_foot_of_each_page_names_the_version():
    """So that a reader knows of what the page tells."""
    assert CONFIG["copyright"] == f"hitl_prefect {__version__}, Apache-2.0"


def project(folder: Path, *, nav: str, pages: dict[str, str]) -> Path:
    """A folder with pages and their navigation; gives where its site is to be."""
    (folder / "docs").mkdir()
    for name, text in pages.items():
        (folder / "docs" / name).write_text(text)
    (folder / "zensical.toml").write_text(
        f'[project]\nsite_name = "x"\nnav = {nav}\n[project.plugins.mkdocstrings.handlers.python]\n'
    )
    (folder / "site").mkdir()
    return folder / "site"


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280
    )
