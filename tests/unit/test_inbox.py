"""The order of the inbox, its page, and what runs are called."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from hitl_prefect.cli import main
from hitl_prefect.cli.inbox import _watch, until
from hitl_prefect.errors import ServerUnreachable
from hitl_prefect.inbox_page import render_page
from hitl_prefect.models import Case
from hitl_prefect.outcomes import Settlement
from hitl_prefect.panel import Ask
from hitl_prefect.signposts import ask_labels, settled_name, waiting_name
from hitl_prefect.waiting import Waiting

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
CASE = Case(id="4711", task="invoices", prompt="?")


def waits(case="4711", **facts):
    """A run that waits since an hour."""
    number = UUID(int=1)
    facts = {"opened_at": NOW - timedelta(hours=1), "deadline_at": None, "reason": "below_bar", **facts}
    return Waiting(
        run_id=number,
        run_name="n",
        case=case,
        task="invoices",
        confidence=0.5,
        attempt=1,
        url=f"http://prefect/v2/runs/flow-run/{number}",
        **facts,
    )


def test_what_to_answer_first_comes_first():
    """Unknown loss, then high loss, then the early deadline, then the long waiting; no deadline is the last."""
    order = [
        waits("unknown"),
        waits("dear", expected_loss=9),
        waits("soon", expected_loss=5, deadline_at=NOW),
        waits("late", expected_loss=5, deadline_at=NOW + timedelta(hours=1)),
        waits("old", expected_loss=5, opened_at=NOW - timedelta(days=1)),
        waits("new", expected_loss=5),
    ]

    assert all(one.urgency < after.urgency for one, after in pairwise(order))


def test_the_page_is_a_table_in_business_words():
    """With a link that opens the form."""
    page = render_page([waits(expected_loss=1234.5, people=("ada", "bob"), deadline_at=NOW)], NOW, count=1)

    assert page.splitlines()[-1] == (
        "| [Open the form](http://prefect/v2/runs/flow-run/00000000-0000-0000-0000-000000000001) | ` 4711 ` | "
        "1,234.50 | 2026-01-02 12:00:00 UTC | ` ada ` ` bob ` | ` invoices ` | The confidence is below the bar. |"
    )


def test_nothing_that_others_wrote_is_live_on_the_page():
    """Case ids, reasons and names stand in code, one row each."""
    evil = "`x` | ![](http://evil/a.png)\n<img src=http://evil>"
    row = render_page([waits(evil, people=(evil,), reason="`odd` |")], NOW, count=1).splitlines()[-1]

    shown = "`` `x` \\| ![](http://evil/a.png) <img src=http://evil> ``"
    assert row.startswith("| [Open the form](http://prefect/")
    assert row.endswith(f" | {shown} | unknown | none | {shown} | ` invoices ` | `` `odd` \\| `` |")


def test_a_long_page_shows_the_first_hundred_and_the_count():
    """More would not be read."""
    page = render_page([waits(str(number)) for number in range(100)], NOW, count=5000)

    assert "**5,000 cases wait for a person**, the 100 most urgent are shown" in page
    assert page.count("[Open the form]") == 100


def test_an_empty_page_says_so():
    """And since when."""
    assert render_page([], NOW, count=0) == "**Nothing waits for a person**. As of 2026-01-02 12:00:00 UTC.\n"


@pytest.mark.parametrize(
    ("deadline", "says"),
    [(None, "-"), (NOW + timedelta(hours=3, minutes=5), "in 3 h"), (NOW, "overdue")],
    ids=["none", "ahead", "passed"],
)
def test_a_deadline_is_told_from_now(deadline, says):
    """In its largest unit."""
    assert until(deadline, NOW) == says


@pytest.mark.parametrize(
    ("role", "facts", "name"),
    [
        ("reviewer", {}, "Review: invoices · case 4711"),
        ("reviewer", {"attempt": 2}, "Review: invoices · case 4711 · attempt 2"),
        ("second", {"answered": 1}, "Second opinion: invoices · case 4711"),
        ("tie_breaker", {"answered": 2, "quorum": 2}, "Tie-break: invoices · case 4711"),
        ("escalated", {}, "Escalated review: invoices · case 4711"),
    ],
)
def test_a_run_is_called_by_what_it_waits_for(role, facts, name):
    """The role in which somebody is asked comes first."""
    assert waiting_name(CASE, Ask(role=role), **facts) == name


@pytest.mark.parametrize("role", ["blind", "seeded"])
def test_a_measurement_is_not_given_away(role):
    """Neither by the name nor by a label."""
    ask = Ask(role=role, people=("ada",))

    assert waiting_name(CASE, ask) == "Review: invoices · case 4711"
    assert ask_labels(ask) == {"hitl.role": "reviewer", "hitl.people": '["ada"]', "hitl.not_these": "[]"}


def test_a_settled_run_says_who_decided_where_that_was_nobody():
    """The deadline is named; people are in the outcome."""
    by_deadline = Settlement(decision="reject", decided_by="deadline", decided_at=NOW)

    assert settled_name(CASE, by_deadline) == "Rejected by the deadline: invoices · case 4711"


def test_a_watch_goes_on_while_the_server_is_restarted(capsys):
    """What came meanwhile is printed when it is back; a server that never answered is an error."""
    looks = iter([[], ServerUnreachable("no server"), [waits("c7")], asyncio.CancelledError()])

    async def look():
        if isinstance(found := next(looks), BaseException):
            raise found
        return found

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_watch(look, 0.001, json=False))
    printed = capsys.readouterr()

    assert (printed.out[:19], printed.err) == ("+ invoices, case c7", "no server; looking again every 0.001 s\n")


def test_a_limit_that_would_hide_all_that_waits_is_wrong_usage(capsys):
    """Nothing listed reads as nothing waits."""
    with pytest.raises(SystemExit) as left:
        main(["inbox", "--limit", "0"])

    assert (left.value.code, "Must be >= 1" in capsys.readouterr().err) == (2, True)
