"""Every example of the README and the docs runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from traceback import walk_tb

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from hitl_prefect.cli import app
from hitl_prefect.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.mark.parametrize("example", list(find_examples(*PAGES)), ids=str)
def test_an_example_runs(example: CodeExample, eval_example: EvalExample):
    """Python blocks are executed as they stand."""
    assert failure_of(example, eval_example) == ""


def test_an_example_that_fails_is_told_with_its_line(eval_example: EvalExample):
    """As the failure of one test, and not as the end of the whole run."""
    broken = CodeExample.create("def seven():\n    return 8\n\n\nassert seven() == 7\n", path=Path("page.md"))

    assert failure_of(broken, eval_example).startswith("page.md:5: AssertionError: assert 8 == 7")


def failure_of(example: CodeExample, eval_example: EvalExample) -> str:
    """What went wrong, and in which line; empty where nothing did."""
    try:
        eval_example.run(example)
    except Exception as exc:  # noqa: BLE001 - whatever an example raises is its failure
        # A text, and not the error: under Python 3.11 pytest-examples makes a frame for it without a table of lines,
        # and whatever prints that ends in an INTERNALERROR.
        lines = [line for frame, line in walk_tb(exc.__traceback__) if frame.f_code.co_filename == str(example.path)]
        return f"{':'.join(map(str, (example.path, *lines[-1:])))}: {type(exc).__name__}: {exc}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page):
    """Links and pictures inside the project exist."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_hitl_is_one_that_it_takes(page):
    """With these options and arguments; nothing is run."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"^\$ (?:\S+=\S+ )*(?:\.venv/bin/)?hitl (.*?)(?: &)?$", text, re.MULTILINE):
        app.parse_args(shlex.split(line, comments=True), exit_on_error=False, print_error=False)


def test_the_ten_lines_of_the_readme_resolve_a_case(site, model, tmp_path):
    """The flow as it is printed, with a saved block for its store and a model that is sure."""
    (block,) = re.findall(r"```python\n(from prefect import flow.*?)```", PAGES[0].read_text("utf-8"), re.DOTALL)
    model.says["ten lines"] = ['{"vendor": "ACME", "total": 9.5, "confidence": 0.97}']
    save = (
        "from hitl_prefect.blocks import S3StoreBlock\n"
        f"S3StoreBlock(bucket={site.bucket.bucket!r}, endpoint_url={site.environment['AWS_ENDPOINT_URL']!r})"
        ".save('s3', overwrite=True)\n"
    )
    script = tmp_path / "flow.py"
    script.write_text(f"{save}{block}\nprint(repr(extract_invoice('ten lines').final_answer))\n")
    done = subprocess.run([sys.executable, script], env=site.environment, capture_output=True, text=True, timeout=120)

    assert "Invoice(vendor='ACME', total=9.5)" in done.stdout, done.stderr


def test_a_name_that_is_no_block_says_what_to_do(site, tmp_path):
    """The message names the block types and the alternative."""
    code = "import asyncio; from hitl_prefect.configured import store_of; asyncio.run(store_of('nowhere'))"
    done = subprocess.run([sys.executable, "-c", code], env=site.environment, capture_output=True, text=True)

    assert ConfigError.__name__ in done.stderr
    assert "no block 'nowhere' of type hitl-s3-store or hitl-folder-store" in done.stderr
