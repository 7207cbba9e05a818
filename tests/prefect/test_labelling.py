"""Labelling in rounds and by clusters: what people are asked, and what a further run goes on from."""

import json
from uuid import uuid4

import pytest

from flows.label_in_rounds import label_in_rounds
from flows.name_clusters import name_the_clusters
from hitl_prefect.classifying import train
from hitl_prefect.detached.flow import review
from hitl_prefect.errors import ConfigError
from hitl_prefect.labelling import LabelPlan, LabelRound
from hitl_prefect.learning import ClusterName, labelled, labels_of_clusters
from hitl_prefect.outcomes import Outcome, outcome_key
from hitl_prefect.stores import FolderStore
from tests.servers.prefect import post
from tests.unit.labels import a_label, a_labelled_outcome

# Prefect opens a client for an async flow, asks it for the result storage, and never closes it.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"), pytest.mark.usefixtures("collected")]

CHOICES = ("account", "delivery", "refund")
POOL = [{"id": one.case_id, "prompt": one.text} for one in map(a_label, range(200, 260))]
TRUTH = {one.case_id: one.label for one in map(a_label, range(200, 260))}


class Desk:
    """Labels a pool of one task of its own, against a real Prefect server."""

    def __init__(self, resident, folder):
        self.resident, self.folder, self.task = resident, folder, f"t-{uuid4().hex[:8]}"
        self.store = FolderStore(folder / "outcomes")

    def decided_before(self, number):
        """What other flows of the task had people decide."""
        for made in map(a_labelled_outcome, range(number)):
            own = made.model_copy(update={"case": made.case.model_copy(update={"task": self.task})})
            self.store.put_once(outcome_key(own), own.stored)

    def run(self, pool=POOL, **plan):
        with self.resident.connected():
            return label_in_rounds(
                source=self.file(pool), choices=CHOICES, task=self.task, store=self.store.url, plan=LabelPlan(**plan)
            )

    def cluster(self):
        with self.resident.connected():
            return name_the_clusters(source=self.file(POOL), task=self.task, store=self.store.url, fewest=3, most=3)

    def file(self, pool):
        path = self.folder / "pool.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in pool))
        return str(path)

    def waiting(self, task=None):
        """The flow runs that wait for a person, by case."""
        wanted = {"flow_runs": {"tags": {"all_": [f"task:{task or self.task}", "waiting"]}}, "limit": 200}
        return {
            run["parameters"]["case"]: run["id"] for run in post(self.resident.api, "/flow_runs/filter", wanted).json()
        }

    def answer(self, task=None, **by_case):
        """What a person says of each, and what the worker does then."""
        runs = self.waiting(task)
        for case, answer in by_case.items():
            self.resident.adopt(review, runs[case])
            self.resident.answer(runs[case], decision="edit", answer=answer)
            self.resident.go_on(runs[case])

    def outcomes(self, task=None):
        keys = self.store.keys(f"outcomes/v1/task={task or self.task}/")
        return [Outcome.model_validate_json(self.store.get(key)) for key in keys]


@pytest.fixture
def desk(resident, tmp_path):
    return Desk(resident, tmp_path)


def test_a_pool_is_labelled_round_by_round_until_the_target(desk):
    """Without a classifier at random and without a draft; a run in between asks nobody; the last round is smaller."""
    first, meanwhile = desk.run(per_round=3, target=5), desk.run(per_round=3, target=5)
    forms = desk.waiting()
    desk.answer(**{case: TRUTH[case] for case in forms})
    second = desk.run(per_round=3, target=5)
    more = desk.waiting()
    desk.answer(**{case: TRUTH[case] for case in more})
    last = desk.run(per_round=3, target=5)

    assert first == LabelRound(task=desk.task, labels=0, open=0, opened=3, at_random=3, left=57, done=False)
    assert meanwhile == LabelRound(task=desk.task, labels=0, open=3, left=57, done=False)
    assert second == LabelRound(task=desk.task, labels=3, open=0, opened=2, at_random=2, left=55, done=False)
    assert last == LabelRound(task=desk.task, labels=5, open=0, left=55, done=True)
    assert not forms.keys() & more.keys()
    assert {one.case.id: one.final_answer for one in desk.outcomes()} == {case: TRUTH[case] for case in (*forms, *more)}
    assert {(one.route.reason, one.route.propensity, one.generation.status) for one in desk.outcomes()} == {
        ("cold_start", 3 / 60, "invalid"),
        ("cold_start", 2 / 57, "invalid"),
    }


def test_with_a_classifier_the_forms_are_those_worth_most_and_a_random_share(desk):
    """Filled with its answer; the random ones are audits, tested on and never trained on."""
    desk.decided_before(60)
    found = desk.run(per_round=5, random_share=0.4)
    desk.answer(**{case: TRUTH[case] for case in desk.waiting()})
    made = desk.outcomes()
    asked = [one for one in made if one.case.id in TRUTH]

    assert (found.labels, found.opened, found.at_random, found.model) == (60, 5, 2, f"{desk.task}/000001")
    assert found.held_out.right.of > 0
    assert sorted((one.route.reason, one.route.propensity) for one in asked) == [
        *[("audit", 2 / 60)] * 2,
        *[("rule", 1.0)] * 3,
    ]
    assert {(one.generation.model, one.generation.provider) for one in asked} == {(f"{desk.task}/000001", "embedded")}
    assert all(one.score.confidence == one.generation.probability for one in asked)
    assert [one.how for one in labelled(asked)].count("audit") == 2


def test_a_run_that_begins_again_opens_no_second_form(desk):
    """Its own forms are open, and where it is let go on it passes over them."""
    desk.decided_before(60)
    desk.run(per_round=2, show_draft=False)
    again, further = desk.run(per_round=2), desk.run(per_round=2, open_at_most=2)

    assert (again.opened, again.open, further.opened, further.left) == (0, 2, 2, 56)
    assert len(desk.waiting()) == 4


def test_a_pool_that_is_used_up_is_done(desk):
    found = desk.run(pool=POOL[:1], per_round=5)
    desk.answer(**{POOL[0]["id"]: "refund"})

    assert (found.opened, found.done, desk.run(pool=POOL[:1]).done) == (1, False, True)


def test_a_pool_with_an_id_twice_is_refused_before_anybody_is_asked(desk):
    with pytest.raises(ConfigError, match="occurs twice"):
        desk.run(pool=[POOL[0], POOL[0]])
    assert desk.waiting() == {}


def test_people_name_clusters_and_a_classifier_learns_from_that(desk):
    """Who does not belong gets no label, nor does a rejected cluster; the labels stay apart from people's own."""
    names_task = f"{desk.task}-clusters"
    opened, again = desk.cluster(), desk.cluster()
    runs = desk.waiting(names_task)
    shown = {case: desk.resident.description(run) for case, run in runs.items()}
    stranger = next(one["id"] for one in POOL if f"[{one['id']}]" in shown[f"{opened.clusters}-0"])
    desk.answer(
        names_task,
        **{
            f"{opened.clusters}-0": {"name": " one ", "does_not_belong": [stranger]},
            f"{opened.clusters}-1": {"name": "two", "does_not_belong": []},
        },
    )
    after = desk.cluster()
    labels = labels_of_clusters(desk.store, desk.task)

    assert (opened.count, opened.open, opened.labels, again) == (3, 3, 0, opened)
    assert (after.open, after.labels, {one.label for one in labels}) == (1, len(labels), {"one", "two"})
    assert {one.how for one in labels} == {"cluster"}
    assert stranger not in {one.case_id for one in labels}
    assert desk.outcomes() == []
    assert {ClusterName.model_validate(one.final_answer).name for one in desk.outcomes(names_task)} == {"one", "two"}


def test_training_with_clusters_tests_on_peoples_own_labels_alone(desk):
    """A case's own label counts, whatever its cluster is called."""
    desk.decided_before(60)
    opened = desk.cluster()
    desk.answer(f"{desk.task}-clusters", **{f"{opened.clusters}-0": {"name": "refund", "does_not_belong": []}})
    without, with_clusters = (
        train(desk.store.url, task=desk.task, clusters=one, dry_run=True) for one in (False, True)
    )

    assert with_clusters.trained_on["cluster"] > 5
    assert with_clusters.held_out.right.of == without.held_out.right.of
