"""The language of `--where`: what matches, what never does, and what is refused before anything is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.errors import ConfigError
from hitl_prefect.selecting import COLUMNS, Selection

CASE = {"task": "invoices", "case": "c-1", "reason": "below_bar", "confidence": 0.85, "attempt": 2, "age_s": 90.0}


@pytest.mark.parametrize(
    "expression",
    [
        "confidence > 0.8",
        "0.8 < confidence <= 0.85",
        'confidence > 0.8 and reason == "below_bar"',
        "reason in ('audit', 'below_bar')",
        "reason not in ['audit']",
        "'inv' in task",
        "not (attempt != 2)",
        "confidence > 0.9 or (age_s >= 90 and attempt > -1)",
        "expected_loss == none",
        "confidence != None",
        "\n  task == 'invoices'\n  and case == 'c-1'  ",
    ],
)
def test_an_expression_that_holds_selects_the_case(expression):
    """Comparisons may be chained, and an expression may be broken over lines."""
    assert Selection(expression).matches(CASE)


@pytest.mark.parametrize(
    "expression",
    [
        "expected_loss > 0",
        "expected_loss <= 0",
        "expected_loss != 3",
        "not expected_loss > 0",
        "not (expected_loss > 0 and confidence > 0.8)",
        "expected_loss in (1, 2)",
        "expected_loss not in (1, 2)",
        "expected_loss != none",
        "confidence > 0.85",
        "reason == 'Below_bar'",
    ],
)
def test_what_a_case_lacks_never_matches(expression):
    """Not even the opposite of a comparison: whoever approves in bulk means cases of which something is known."""
    assert not Selection(expression).matches(CASE)


@pytest.mark.parametrize(
    ("expression", "spot", "says"),
    [
        ("confidence >", 12, "invalid syntax"),
        ("confidense > 0.8", 0, "known are task, case"),
        ("confidence > 'high'", 13, "a number cannot be compared with text"),
        ("task == 'é' and reason > 3", 25, "a number cannot be compared with text"),
        ("confidence", 0, "expected a comparison"),
        ("confidence > 0.8 and task", 21, "expected a comparison"),
        ("__import__('os').system('ls') == 0", 0, "expected a column"),
        ("task.__class__ == 'x'", 0, "expected a column"),
        ("confidence + 1 > 2", 0, "expected a column"),
        ("(lambda: 1)() == 1", 0, "expected a column"),
        ("[x for x in task] == 1", 0, "expected a column"),
        ("confidence is none", 14, "use =="),
        ("confidence == true", 14, "known are"),
        ("confidence == True", 14, "expected a column"),
        ("confidence in 3", 14, "after `in` stands a list"),
        ("confidence == (1, 2)", 14, "compared with `in`"),
        ("confidence in (1, 'a')", 14, "either texts or numbers"),
        ("", 0, "invalid syntax"),
    ],
)
def test_what_is_not_of_the_language_is_refused_at_its_spot(expression, spot, says):
    """The message repeats the expression, with a mark below the spot."""
    with pytest.raises(ConfigError) as refused:
        Selection(expression)
    shown, mark = str(refused.value).splitlines()[1:]

    assert (shown, mark.index("^") - 2, says in mark) == (f"  {expression}", spot, True), mark


@pytest.mark.parametrize("expression", ["(" * 900 + "1" + ")" * 900, "not " * 499 + "task", "a\0b", "x" * 2001])
def test_an_expression_made_to_hurt_is_refused(expression):
    """Depth, length and bytes that no text holds are errors like any other."""
    with pytest.raises(ConfigError):
        Selection(expression)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    """Nothing but `ConfigError` comes out, whatever goes in."""
    try:
        selection = Selection(text)
    except ConfigError:
        return

    assert selection.matches(dict.fromkeys(COLUMNS)) in (True, False)
