"""How far a machine can be trusted, from outcomes whose figures can be worked out by hand."""

import json
import re
import sys
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from hitl_prefect.binomial import exact_interval
from hitl_prefect.cli import main
from hitl_prefect.errors import MissingExtra
from hitl_prefect.evidence import Key, evidence_of
from hitl_prefect.gathering import Gathered
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.shares import Share
from hitl_prefect.stores import FolderStore
from hitl_prefect.trust_figures import Week
from hitl_prefect.trust_page import as_html
from hitl_prefect.trust_report import trust_report
from hitl_prefect.trust_tables import as_markdown
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, an_outcome

ACCEPTED = evidence_of(an_outcome(route=a_route(bar=0.7, propensity=0.1)))
HOSTILE = '<script src="//x">|![](http://x)\u202e'


def seen(confidence=0.5, *, right=True, audit=False, **changes):
    """One that a person decided about."""
    route = {"reason": "audit", "propensity": 0.1} if audit else {"reason": "below_bar", "propensity": 1.0}
    facts = {"right": right, "confidence": confidence, "action": "review", "how": "audit" if audit else "prefilled"}
    return replace(ACCEPTED, **route, **facts, **changes)


def report_of(*evidence):
    return trust_report(Gathered(list(evidence)))


def task_of(*evidence):
    (task,) = report_of(*evidence).tasks
    return task


def test_escaped_error_is_that_of_the_audits():
    """What was reviewed because it was unsure says nothing of what was accepted."""
    audits = [seen(0.9, right=number > 0, audit=True) for number in range(10)]
    unsure = [seen(0.2, right=False) for _ in range(50)]
    escaped = task_of(ACCEPTED, *audits, *unsure).escaped

    assert (escaped.value, escaped.labels, escaped.cases) == (pytest.approx(0.1), 10, 11)
    assert (escaped.low, escaped.high) == pytest.approx(exact_interval(1, 10))


def test_without_an_audit_nobody_knows_what_escaped():
    report = report_of(ACCEPTED, seen(right=False))

    assert report.tasks[0].escaped is None
    assert "nobody knows" in as_markdown(report)


def test_calibration_is_that_of_all_cases_and_not_of_those_that_were_shown():
    """Nine accepted cases stand behind the audit that was right, and one review behind the one that was wrong."""
    sure = [replace(ACCEPTED, confidence=0.9) for _ in range(8)]
    (row,) = task_of(*sure, seen(0.9, audit=True), seen(0.5, right=False)).keys

    assert row.calibration_error == pytest.approx((9 * 0.1 + 1 * 0.5) / 10)


def test_the_bar_in_force_is_a_point_of_the_curve():
    evidence = [replace(ACCEPTED, confidence=0.9), seen(0.9, audit=True), seen(0.3, right=False), seen(0.1)]
    task = task_of(*evidence)

    assert (task.in_force.bar, task.in_force.coverage) == (0.7, 0.5)
    assert [(one.bar, one.coverage) for one in task.curve] == [(0.9, 0.5), (0.3, 0.75), (0.1, 1.0)]
    assert task.curve[-1].risk.value == pytest.approx(1 / 4)


def test_a_week_begins_on_monday_and_has_its_own_figures():
    """2 January 2026 is a Friday."""
    late = [replace(one, decided_at=NOON + timedelta(days=3)) for one in (seen(right=False), ACCEPTED)]
    weeks = task_of(seen(cost_usd=0.5), *late).weeks

    assert weeks == (
        Week(
            monday=date(2025, 12, 29),
            outcomes=1,
            reviewed=Share(hits=1, of=1),
            escaped=None,
            overridden=Share(hits=0, of=1),
            cost_usd=0.5,
        ),
        Week(
            monday=date(2026, 1, 5),
            outcomes=2,
            reviewed=Share(hits=1, of=2),
            escaped=None,
            overridden=Share(hits=1, of=1),
            cost_usd=0,
        ),
    )


def test_curves_are_of_the_key_that_is_in_use():
    """A stray case of another model, and much of an older one, are in the table and in no curve."""
    key = Key("invoices", "new", "-", "min(stated)")
    old = [replace(seen(0.2), decided_at=NOON - timedelta(days=9)) for _ in range(9)]
    task = task_of(*old, seen(0.4, key=key), seen(0.6, key=key), replace(ACCEPTED, decided_at=NOON))

    assert task.shown == key
    assert [one.bar for one in task.curve] == [0.6, 0.4]
    assert {(one.model, one.outcomes) for one in task.keys} == {("gpt-5-mini", 10), ("new", 2)}


class _Page(HTMLParser):
    """What a browser would load or run."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.addresses = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = ("src", "href", "xlink:href", "srcset", "action", "data")
        self.addresses += [value for name, value in attrs if name in names and not value.startswith("#")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def a_page():
    audits = [seen(0.75 + number / 100, right=number > 2, audit=True) for number in range(20)]
    unsure = [seen(number / 40, right=number % 2 > 0) for number in range(20)]
    evidence = [*audits, *unsure, *(replace(ACCEPTED, confidence=0.8) for _ in range(60))]
    key = Key("invoices", HOSTILE, HOSTILE, HOSTILE)
    return report_of(*(replace(one, key=key) for one in evidence))


def test_the_page_stands_by_itself_and_runs_nothing():
    page = _Page(as_html(a_page()))

    assert page.addresses == []
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert page.tags.count("svg") == page.tags.count("figure") == 5
    assert page.tags.count("table") == 6


def test_every_id_of_the_page_is_there_once_and_every_reference_has_its_id():
    """Five pictures stand in one page: what one refers to must not be found in another."""
    page = as_html(a_page())
    ids, references = re.findall(r' id="([^"]+)"', page), re.findall(r'(?:href="#|url\(#)([^")]+)', page)

    assert len(ids) == len(set(ids))
    assert references
    assert set(references) <= set(ids)


def test_words_of_others_do_nothing_in_the_page_nor_in_the_artifact():
    report = a_page()
    page, artifact = as_html(report), as_markdown(report)

    assert "<script src" not in page
    assert page.count("&lt;script src=") == 6, "model, prompt and scorer, in a sentence and in a table"
    assert artifact.count('` <script src="//x">\\|![](http://x)\\u202e `') == 3
    assert "\u202e" not in page + artifact


def test_every_picture_says_in_words_what_it_shows_and_where_its_figures_stand():
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', as_html(a_page()))

    assert len(labels) == 5
    assert labels[0] == "Risk against coverage of task invoices: the figures are in the table below the picture"


def test_the_same_outcomes_make_the_same_page():
    assert as_html(a_page()) == as_html(a_page())


def test_a_report_on_cases_that_nobody_looked_at_says_so():
    page = as_html(report_of(replace(ACCEPTED, confidence=None)))

    assert "nobody knows how much of what is accepted is wrong" in page
    assert "Nothing to show yet" in page


def test_without_matplotlib_the_page_says_what_to_install_and_the_figures_need_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    report = a_page()

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[learn\]'"):
        as_html(report)
    assert as_markdown(report).startswith("# Trust")


def put(store, *outcomes):
    for one in outcomes:
        store.put_once(outcome_key(one), one.stored)


@pytest.fixture
def store(tmp_path):
    """Three outcomes: one accepted, one approved, one whose first draft was wrong."""
    store = FolderStore(tmp_path / "store")
    reviewed = {"decision": "approve", "decided_by": "human", "review": a_review(), "route": a_route(propensity=1)}
    guessed = Attempt(generation=a_generation(answer={"total": 9.0}), score=a_score(0.3), route=a_route(propensity=1))
    put(
        store,
        an_outcome(),
        an_outcome(case=CaseRecord.of(a_case(id="c2")), **reviewed),
        an_outcome(
            case=CaseRecord.of(a_case(id="c3")), **reviewed, earlier=(guessed,), generation=a_generation(attempt=2)
        ),
    )
    return store


def run(*arguments):
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    return done.value.code


def test_the_command_writes_the_page_and_says_what_is_in_it(store, tmp_path, capsys):
    out = tmp_path / "report.html"
    code = run("report", "--store", store.url, "--out", str(out))
    said = capsys.readouterr().out

    assert code == 0
    assert said.startswith("invoices: 3 outcomes from 2026-01-02 to 2026-01-02: 1 of them accepted without a review;")
    assert out.read_text("utf-8").startswith("<!doctype html>")


def test_the_command_prints_the_figures(store, capsys):
    code = run("report", "--store", store.url, "--json")
    (task,) = json.loads(capsys.readouterr().out)["tasks"]

    assert code == 0
    assert task["overridden"] == {"hits": 1, "of": 2}


def test_a_store_without_outcomes_is_no_report(tmp_path, capsys):
    assert run("report", "--store", f"folder:{tmp_path}") == 1
    assert "is it the right store?" in capsys.readouterr().err
