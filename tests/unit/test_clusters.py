"""Clusters: found without labels, the same each time, named by people, and kept as they were named."""

import pytest

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError
from hitl_prefect.form_fields import answer_schema
from hitl_prefect.learning import (
    ClusterName,
    Text,
    cluster_cases,
    clusters_task,
    keep_clusters,
    label_by_cluster,
    labels_of_clusters,
    read_clusters,
)
from hitl_prefect.models import Case
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.stores import FolderStore
from tests.unit.labels import a_label, a_labelled_outcome

TEXTS = [Text(case_id=one.case_id, text=one.text) for one in map(a_label, range(45))]
TRUTH = {one.case_id: one.label for one in map(a_label, range(45))}


@pytest.fixture(scope="module")
def found():
    return cluster_cases(TEXTS, task="support", fewest=2, most=6)


def test_texts_of_a_kind_are_together_and_the_number_is_found(found):
    """Three kinds; each cluster's words are those of its texts."""
    kinds = [{TRUTH[member.case_id] for member in one.members} for one in found.clusters]

    assert sorted(map(sorted, kinds)) == [["account"], ["delivery"], ["refund"]]
    assert all(
        set(word.split()) & set(" ".join(m.text for m in one.members).split())
        for one in found.clusters
        for word in one.words
    )


def test_the_order_of_the_cases_does_not_matter(found):
    assert cluster_cases(TEXTS[::-1], task="support", fewest=2, most=6) == found


@pytest.mark.parametrize(
    ("texts", "bounds", "said"),
    [
        (TEXTS[:2], {"fewest": 2}, "2 texts make no 2 clusters"),
        (TEXTS, {"fewest": 1}, "at least 2 clusters"),
        (TEXTS, {"fewest": 5, "most": 4}, "not for fewer at most"),
        ([Text(case_id=f"c{n}", text="?") for n in range(9)], {}, "no words in common"),
    ],
)
def test_what_cannot_be_clustered_is_refused(texts, bounds, said):
    with pytest.raises(ConfigError, match=said):
        cluster_cases(texts, task="support", **bounds)


def test_clusters_are_kept_under_what_is_in_them(found, tmp_path):
    store = FolderStore(tmp_path)
    name = keep_clusters(store, found)

    assert (keep_clusters(store, found), read_clusters(store, "support", name)) == (name, found)


def test_clusters_that_were_changed_are_refused(found, tmp_path):
    """A label would fall on other cases than a person saw."""
    store = FolderStore(tmp_path)
    store.put_once(found.key, canonical_bytes(found.model_copy(update={"clusters": found.clusters[:1]})))

    with pytest.raises(ConfigError, match="was changed after it was stored"):
        read_clusters(store, "support", found.name)
    with pytest.raises(ConfigError, match="cluster the cases anew"):
        read_clusters(store, "support", "gone")


def test_only_named_clusters_give_labels_and_not_to_strangers(found):
    stranger = found.clusters[0].members[0].case_id
    labels = label_by_cluster(found, {0: ClusterName(name="first", does_not_belong=[stranger, "unknown"])})

    assert {one.case_id for one in labels} == {one.case_id for one in found.clusters[0].members} - {stranger}
    assert {(one.label, one.how) for one in labels} == {("first", "cluster")}


def a_naming(found, number, **changes):
    case = Case(
        id=f"{found.name}-{number}",
        task=clusters_task(found.task),
        prompt="?",
        metadata={"clusters": found.name, "cluster": number},
    )
    return a_labelled_outcome(number, **{"case": CaseRecord.of(case), "final_answer": {"name": "kind"}, **changes})


def test_labels_are_read_from_what_people_named(found, tmp_path):
    """A rejected one, one that the deadline decided and one that is no name give none."""
    store = FolderStore(tmp_path)
    keep_clusters(store, found)
    namings = [
        a_naming(found, 0),
        a_naming(found, 1, decision="reject", final_answer=None),
        a_naming(found, 2, final_answer={"name": ""}),
    ]
    for one in namings:
        store.put_once(outcome_key(one), one.stored)

    assert labels_of_clusters(store, "support") == label_by_cluster(found, {0: ClusterName(name="kind")})


def test_a_person_can_submit_the_form():
    assert list(answer_schema(ClusterName)["properties"]) == ["name", "does_not_belong"]
