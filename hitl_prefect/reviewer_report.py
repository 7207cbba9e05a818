"""What the stored outcomes say of the reviewing: who overrides, who agrees, who lets mistakes pass, and how quickly.

Only what a person said is counted, never a deadline. Two people are compared where neither saw what the other said.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from statistics import median

from pydantic import JsonValue

from hitl_prefect.agreement import cohen_kappa, krippendorff_alpha
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.example_turns import without_examples
from hitl_prefect.models import Generation
from hitl_prefect.outcomes import Outcome, Probe, Review, Verdict
from hitl_prefect.people import known_as
from hitl_prefect.probing import mistake_in
from hitl_prefect.reading import Unreadable
from hitl_prefect.reviewer_figures import FieldAgreement, Median, ReviewerReport, ReviewerRow, TaskRow
from hitl_prefect.shares import Share, gap
from hitl_prefect.stakes import seconds_of, too_fast, words_of

__all__ = ["reviewer_report"]

WORDS_PER_MINUTE = 600.0
"""Who answers faster than prompt and draft can be read at this speed did not read them; see `SecondOpinion`."""

_DECIDES = ("approve", "edit", "reject")
_UNTOLD = ("reviewer", "second")
"""The roles that do not see what others said."""


def reviewer_report(
    outcomes: Iterable[Outcome[JsonValue] | Unreadable], *, words_per_minute: float = WORDS_PER_MINUTE
) -> ReviewerReport:
    """The report of some outcomes, each looked at once and then forgotten.

    Args:
        outcomes: What was stored, and what could not be read.
        words_per_minute: Who answers faster than this did not read.
    """
    count = _Count(words_per_minute)
    for one in outcomes:
        count.take(one)
    return count.report()


@dataclass
class _Person:
    """What one person did on one task, so far."""

    name: str
    verdicts: int = 0
    unproven: int = 0
    overrode: list[bool] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    caught: list[bool] = field(default_factory=list)
    blind: list[bool] = field(default_factory=list)
    in_view: list[bool] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    since_opened: list[float] = field(default_factory=list)
    too_fast: list[bool] = field(default_factory=list)
    bulk: list[bool] = field(default_factory=list)

    def row(self, task: str) -> ReviewerRow:
        caught, blind, in_view = Share.true(self.caught), Share.true(self.blind), Share.true(self.in_view)
        return ReviewerRow(
            reviewer=self.name,
            task=task,
            verdicts=self.verdicts,
            overridden=Share.true(self.overrode),
            agreed=Share.true(mine == theirs for mine, theirs in self.pairs),
            kappa=cohen_kappa(self.pairs),
            caught=caught,
            caught_between=caught.interval(),
            unproven=self.unproven,
            blind=blind,
            in_view=in_view,
            anchoring=gap(blind, in_view),
            seen=_median(self.seen),
            since_opened=_median(self.since_opened),
            too_fast=Share.true(self.too_fast),
            bulk=Share.true(self.bulk),
        )


_Units = list[tuple[str, ...]]
"""Per draft, what each of several untold people wants, as the sha256 of it."""


class _Count:
    """What is kept of the outcomes: counts, durations and the sha256 of answers, never an outcome."""

    def __init__(self, words_per_minute: float) -> None:
        self.words_per_minute = words_per_minute
        self.people: dict[tuple[str, str], _Person] = {}
        self.units: defaultdict[str, _Units] = defaultdict(list)
        self.fields: defaultdict[tuple[str, str], _Units] = defaultdict(list)
        self.unreadable: list[Unreadable] = []
        self.by_model = self.by_people = self.by_deadline = self.by_policy = 0

    def take(self, one: Outcome[JsonValue] | Unreadable) -> None:
        if isinstance(one, Unreadable):
            self.unreadable.append(one)
        elif one.review is None:
            self.by_model += one.decided_by == "model"
            self.by_policy += one.decided_by != "model"
        else:
            by_deadline = one.review.settled.decided_by == "deadline"
            self.by_deadline, self.by_people = self.by_deadline + by_deadline, self.by_people + (not by_deadline)
            # What answered a group is one verdict, and stands in the outcome of the case that the form was about.
            if not one.is_answered_elsewhere:
                self._take_review(one, one.review)

    def report(self) -> ReviewerReport:
        return ReviewerReport(
            outcomes=self.by_model + self.by_people + self.by_deadline + self.by_policy,
            by_model=self.by_model,
            by_people=self.by_people,
            by_deadline=self.by_deadline,
            by_policy=self.by_policy,
            unreadable=tuple(self.unreadable),
            reviewers=tuple(person.row(task) for (task, _), person in sorted(self.people.items())),
            tasks=tuple(self._task(task) for task in sorted(self.units)),
        )

    def _take_review(self, outcome: Outcome[JsonValue], review: Review) -> None:
        drafts = {draft.attempt: draft for draft in outcome.drafts}
        for verdict in review.verdicts:
            self._take_verdict(outcome, verdict, drafts.get(verdict.attempt, outcome.generation))
        for probe in review.probes:
            self._take_probe(outcome, review, probe, drafts.get(probe.verdict.attempt, outcome.generation))
        for attempt in drafts:
            self._compare(outcome.case.task, [one for one in review.verdicts if one.attempt == attempt])

    def _take_verdict(self, outcome: Outcome[JsonValue], verdict: Verdict, draft: Generation) -> None:
        person = self._person(outcome.case.task, verdict)
        person.verdicts += 1
        person.bulk.append(verdict.bulk)
        words = words_of(*(message.text for message in without_examples(outcome.case.messages)), draft.text)
        person.too_fast.append(too_fast(verdict, words, self.words_per_minute))
        if not verdict.bulk:
            durations = person.since_opened if verdict.seen_at is None else person.seen
            durations.append(seconds_of(verdict))
        if verdict.decision in _DECIDES:
            person.overrode.append(verdict.decision != "approve")
            if _comparable(outcome, verdict, draft):
                person.in_view.append(verdict.decision != "approve")

    def _take_probe(self, outcome: Outcome[JsonValue], review: Review, probe: Probe, draft: Generation) -> None:
        person = self._person(outcome.case.task, probe.verdict)
        if probe.kind == "blind":
            person.blind.append(canonical_bytes(probe.verdict.answer) != canonical_bytes(draft.answer))
            return
        mistake = mistake_in(draft.answer, probe.draft)
        by_people = review.settled.decided_by != "deadline" and outcome.decision != "reject"
        if mistake is None or not by_people or mistake.stands_in(outcome.final_answer):
            person.unproven += 1
        else:
            person.caught.append(mistake.caught_by(probe.verdict))

    def _compare(self, task: str, verdicts: Sequence[Verdict]) -> None:
        """What people who did not know of each other said of the same draft."""
        said = [one for one in verdicts if one.role in _UNTOLD and one.decision in _DECIDES and one.reviewer.strip()]
        if len(said) < 2:
            return
        self.units[task].append(tuple(_wanted(one) for one in said))
        for mine, theirs in permutations(said, 2):
            self._person(task, mine).pairs.append((_wanted(mine), _wanted(theirs)))
        answers = [one.answer for one in said if isinstance(one.answer, dict)]
        if len(answers) == len(said):
            for name in {name for answer in answers for name in answer}:
                values = tuple(_sha(answer.get(name)) if name in answer else "" for answer in answers)
                self.fields[task, name].append(values)

    def _person(self, task: str, verdict: Verdict) -> _Person:
        name = verdict.reviewer.strip()
        return self.people.setdefault((task, known_as(name)), _Person(name))

    def _task(self, task: str) -> TaskRow:
        fields = [
            FieldAgreement(field=name, same=_same(units), alpha=krippendorff_alpha(units))
            for (of_task, name), units in self.fields.items()
            if of_task == task
        ]
        units = self.units[task]
        ranked = sorted(fields, key=lambda one: (one.same.value or 0, one.field))
        return TaskRow(task=task, same=_same(units), alpha=krippendorff_alpha(units), fields=tuple(ranked))


def _comparable(outcome: Outcome[JsonValue], verdict: Verdict, draft: Generation) -> bool:
    """Whether a verdict can be held against blind answers: the same kind of draft, in view, and nothing else known."""
    untouched = outcome.review is not None and not outcome.review.probes
    return untouched and verdict.attempt == 1 and draft.status == "ok" and verdict.role in _UNTOLD


def _wanted(verdict: Verdict) -> str:
    """Names what the person wants to ship."""
    return "reject" if verdict.decision == "reject" else _sha(verdict.answer)


def _sha(value: JsonValue) -> str:
    return sha256_of(value)[:16]


def _same(units: _Units) -> Share:
    return Share.true(one == other for unit in units for one, other in combinations(unit, 2))


def _median(seconds: list[float]) -> Median:
    return Median(seconds=median(seconds) if seconds else None, of=len(seconds))
