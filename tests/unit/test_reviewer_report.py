"""What the stored outcomes say of the reviewing."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hitl_prefect.agreement import Agreement
from hitl_prefect.cli import main
from hitl_prefect.cli.printing import table
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import CaseRecord, Group, Probe, Review, Settlement, Verdict, outcome_key
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.reviewer_figures import Median, ReviewerReport
from hitl_prefect.reviewer_report import reviewer_report
from hitl_prefect.reviewer_tables import as_markdown, tables
from hitl_prefect.shares import Share
from hitl_prefect.stores import FolderStore
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome

DRAFT, WRONG, RIGHT = {"total": 12.5}, {"total": 22.5}, {"total": 13.0}
SLOW = {"decided_at": NOON + timedelta(minutes=5)}


def approves(reviewer: str = "ada", **changes: Any) -> Verdict:
    return a_verdict(**{"reviewer": reviewer, **SLOW, **changes})


def edits(reviewer: str = "ada", answer: Any = RIGHT, **changes: Any) -> Verdict:
    return approves(reviewer, decision="edit", answer=answer, **changes)


def rejects(reviewer: str = "ada", **changes: Any) -> Verdict:
    return approves(reviewer, decision="reject", answer=None, **changes)


def reviewed(*verdicts: Verdict, case: str = "c1", task: str = "invoices", **review: Any) -> Any:
    """An outcome that the last of these verdicts settled."""
    last = verdicts[-1]
    return an_outcome(
        case=CaseRecord.of(a_case(id=case, task=task)),
        review=a_review(*verdicts, **review),
        decision=last.decision,
        final_answer=last.answer,
        decided_by="human",
    )


def seed(verdict: Verdict) -> Probe:
    return Probe(kind="seeded", draft=WRONG, verdict=verdict.model_copy(update={"role": "seeded"}))


def blind(verdict: Verdict) -> Probe:
    return Probe(kind="blind", verdict=verdict.model_copy(update={"role": "blind"}))


def row_of(*outcomes: Any, reviewer: str = "ada") -> Any:
    (row,) = [one for one in reviewer_report(outcomes).reviewers if one.reviewer == reviewer]
    return row


def shares(hits: int, of: int) -> Share:
    return Share(hits=hits, of=of)


def test_an_edit_or_a_rejection_overrides():
    """A retry or an escalation is a verdict, and neither an override nor an approval."""
    others = [approves(decision=decision, answer=None) for decision in ("retry", "escalate")]
    row = row_of(reviewed(approves()), reviewed(edits()), reviewed(rejects()), reviewed(*others, approves()))

    assert (row.verdicts, row.overridden) == (6, shares(2, 4))


def test_one_person_is_one_row_however_the_name_is_typed():
    """Per task; the first spelling is shown."""
    names = ("Ada Lovelace", " ada  lovelace ", "ADA\u200b LOVELACE")
    found = reviewer_report([*(reviewed(approves(name)) for name in names), reviewed(approves(), task="mail")])

    assert [(row.reviewer, row.task, row.verdicts) for row in found.reviewers] == [
        ("Ada Lovelace", "invoices", 3),
        ("ada", "mail", 1),
    ]


def test_people_are_compared_where_neither_knew_what_the_other_said():
    """A tie-breaker and somebody it was handed to have read the others' words."""
    pair = reviewed(approves("ada"), edits("bob"), approves("eve", role="tie_breaker"))
    same = reviewed(approves("ada"), approves("bob", role="second"))
    handed = reviewed(approves("ada"), approves("bob", role="escalated"))
    found = reviewer_report([pair, same, handed])
    ada, bob, eve = found.reviewers

    assert (ada.agreed, bob.agreed, eve.agreed) == (shares(1, 2), shares(1, 2), shares(0, 0))
    assert (ada.kappa, eve.kappa.why) == (Agreement(value=0.0, units=2), "no case that two have rated")
    (task,) = found.tasks
    assert (task.same, [(one.field, one.same) for one in task.fields]) == (shares(1, 2), [("total", shares(1, 2))])


def test_answers_are_compared_as_canonical_json():
    """The order of keys makes no other answer; drafts of two attempts are not compared."""
    one, other = edits("ada", {"a": 1, "b": 2}), edits("bob", {"b": 2, "a": 1})
    tried = Attempt(generation=a_generation(), score=a_score(), route=a_route())
    later = a_generation(attempt=2)
    again = reviewed(approves("ada", decision="retry", answer=None), approves("bob", attempt=2))
    again = again.model_copy(update={"earlier": (tried,), "generation": later})

    assert reviewer_report([reviewed(one, other), again]).tasks[0].same == shares(1, 1)


@pytest.mark.parametrize(
    ("said", "settled", "caught", "unproven"),
    [
        (approves(answer=WRONG), approves(), shares(0, 1), 0),
        (edits(), approves(), shares(1, 1), 0),
        (rejects(), approves(), shares(1, 1), 0),
        (approves(answer=WRONG), edits(answer=RIGHT), shares(0, 1), 0),
        (approves(answer=WRONG), edits(answer=WRONG), shares(0, 0), 1),
        (edits(), edits(answer=WRONG), shares(0, 0), 1),
        (approves(answer=WRONG), rejects(), shares(0, 0), 1),
    ],
)
def test_a_seed_counts_where_people_settled_on_another_answer(said, settled, caught, unproven):
    """Made wrong on purpose is not known wrong: the draft may have been wrong there, and the change right."""
    row = row_of(reviewed(settled, probes=(seed(said),)))

    assert (row.caught, row.unproven) == (caught, unproven)


def test_a_seed_that_no_person_settled_does_not_count():
    """The deadline's fallback proves nothing."""
    settled = Settlement(decision="fallback", decided_by="deadline", decided_at=NOON)
    outcome = an_outcome(
        review=Review(probes=(seed(approves(answer=WRONG)),), settled=settled),
        decision="fallback",
        decided_by="deadline",
        final_answer={"total": 0},
    )
    found = reviewer_report([outcome])

    assert (found.by_deadline, found.reviewers[0].unproven, found.reviewers[0].verdicts) == (1, 1, 0)


def test_anchoring_is_how_much_seldomer_an_answer_differs_with_the_draft_in_view():
    """Cases with a probe, further attempts and the told are left out of the second share."""
    without = [reviewed(approves(), probes=(blind(one),)) for one in (edits(), rejects(), edits(answer=DRAFT))]
    in_view = [reviewed(edits()), *[reviewed(approves())] * 3]
    told = [reviewed(rejects(role="escalated")), reviewed(rejects(), probes=(seed(edits()),))]
    row = row_of(*without, *in_view, *told)

    assert (row.blind, row.in_view) == (shares(2, 3), shares(1, 4))
    assert round(row.anchoring.value, 4) == round(2 / 3 - 1 / 4, 4)
    assert row.anchoring.low < 0 < row.anchoring.high


def test_time_counts_from_when_the_form_was_shown_where_the_door_tells():
    """Else from when it was opened, in a figure of its own; what was answered in bulk took no time of its own."""
    shown = {"seen_at": NOON, "decided_at": NOON + timedelta(seconds=40)}
    said = [approves(**shown), approves(), approves(bulk=True), approves(seen_at=NOON, decided_at=NOON)]
    row = row_of(*(reviewed(one) for one in said))

    assert (row.seen, row.since_opened) == (Median(seconds=20, of=2), Median(seconds=300, of=1))
    assert (row.too_fast, row.bulk) == (shares(2, 4), shares(1, 4))


def test_a_store_is_reported_with_the_objects_that_are_none(tmp_path):
    """They are named and counted, and reading goes on; what the model decided alone is counted too."""
    store = filled(tmp_path, reviewed(approves()), an_outcome(case=CaseRecord.of(a_case(id="c2"))))
    tampered = reviewed(approves(), case="c4").stored.replace(b'"text":"{', b'"text":"[')
    store.put_once("outcomes/v1/task=invoices/dt=2026-01-02/c3.json", b"not JSON")
    store.put_once("outcomes/v1/task=invoices/dt=2026-01-02/c4.json", tampered)
    found = reviewer_report(read_outcomes(store))

    assert (found.outcomes, found.by_model, found.by_people) == (2, 1, 1)
    assert [one.key[-7:] for one in found.unreadable] == ["c3.json", "c4.json"]
    assert found.unreadable[0].problem.startswith("Invalid JSON")
    assert "it was changed after it was made" in found.unreadable[1].problem


def test_more_outcomes_than_are_read_at_a_time_come_in_order(tmp_path):
    """And only those of the task that was asked for."""
    cases = [f"c{number:03}" for number in range(300)]
    store = filled(tmp_path, *(reviewed(approves(), case=case) for case in cases), reviewed(approves(), task="mail"))

    assert [one.case.id for one in read_outcomes(store, "invoices")] == cases


def test_no_name_does_anything_in_the_artifact():
    """Names, keys and problems come from people and stores; they stand in code."""
    row = row_of(reviewed(approves("[x](http://evil) | <img src=x>")), reviewer="[x](http://evil) | <img src=x>")
    broken = Unreadable(key="a`b", problem="![](http://evil)")
    text = as_markdown(
        ReviewerReport(outcomes=1, by_model=0, by_people=1, by_deadline=0, reviewers=(row,), unreadable=(broken,))
    )

    assert r"| ` [x](http://evil) \| <img src=x> ` | invoices | 1 | 0 of 1 |" in text
    assert "| `` a`b `` | ` ![](http://evil) ` |" in text


def filled(folder: Path, *outcomes: Any) -> FolderStore:
    store = FolderStore(folder)
    for one in outcomes:
        store.put_once(outcome_key(one), one.stored)
    return store


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["reviewers", *arguments])
    return int(ended.value.code or 0)


def test_the_command_line_shows_small_numbers_as_numbers(tmp_path, capsys):
    """3 of 4, and no kappa or anchoring of a handful."""
    outcomes = [reviewed(approves("ada"), edits("bob"), case=f"c{n}") for n in range(3)]
    filled(tmp_path, *outcomes, reviewed(approves(), probes=(seed(edits()),), case="c9"))

    assert run(f"folder:{tmp_path}") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("4 outcomes: 0 by the model alone, 4 by people, 0 by the deadline, in folder:")
    assert "ada invoices 4 0 of 4 0 of 3 - 5 min since opened (4) 0 of 4 0 of 4" in lines
    assert "bob invoices 3 3 of 3 0 of 3 - 5 min since opened (3) 0 of 3 0 of 3" in lines
    assert "ada invoices 1 of 1 0.21 to 1.00 0 - 0 of 3 -" in lines
    assert "invoices (whole answer) 3 0 of 3 -" in lines


def test_an_empty_store_has_nothing_to_report(tmp_path, capsys):
    """That is no error; a path that does not exist is an empty store."""
    assert run(f"folder:{tmp_path}/nowhere", "--task", "mail") == 0
    assert capsys.readouterr().out == f"No outcome in folder:{tmp_path}/nowhere of task mail.\n"


def test_outcomes_of_the_model_alone_make_no_rows(tmp_path, capsys):
    """They are counted."""
    filled(tmp_path, an_outcome())

    assert run(f"folder:{tmp_path}") == 0
    assert capsys.readouterr().out == (
        f"1 outcome: 1 by the model alone, 0 by people, 0 by the deadline, in folder:{tmp_path}\n"
    )


def test_json_reads_back_as_the_report(tmp_path, capsys):
    """Every figure, also those that the tables leave out."""
    store = filled(tmp_path, reviewed(approves("ada"), edits("bob")))
    run(f"folder:{tmp_path}", "--json")

    printed = json.loads(capsys.readouterr().out)
    assert ReviewerReport.model_validate(printed) == reviewer_report(read_outcomes(store))


def test_a_name_forges_no_row_of_the_table():
    """Whoever reaches a form types any name, with line breaks too."""
    report = reviewer_report([reviewed(approves("eve\nada  invoices  900  0 of 900"))])
    printed = [line for one in tables(report) for line in table(one.rows).splitlines()]

    assert [line[:8] for line in printed[:2]] == ["REVIEWER", "eve\\nada"]


def test_answers_in_one_piece_are_compared_as_a_whole():
    """A text has no fields to agree on."""
    (task,) = reviewer_report([reviewed(edits("ada", "refund"), edits("bob", "refund"))]).tasks

    assert (task.same, task.fields) == (shares(1, 1), ())


def test_one_answer_to_a_group_is_one_verdict():
    """Each of the cases is one that people decided; who answered them all has looked once."""
    group = Group(case="c1", draft_sha256=a_generation().sha256, size=3)
    found = reviewer_report([reviewed(approves(), case=case, group=group) for case in ("c1", "c2", "c3")])

    assert (found.by_people, [row.verdicts for row in found.reviewers]) == (3, [1])
