"""A classifier of one's own: trained on what people decided, kept without pickle, the same when it is read back."""

import json
import sys
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel

from hitl_prefect.classifying import train
from hitl_prefect.direct import draft_and_score
from hitl_prefect.drafts import ask
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.learning import (
    FEWEST_LABELS,
    HeldOut,
    Labelled,
    TextClassifier,
    keep_model,
    labelled,
    newest_version,
    read_model,
    train_classifier,
)
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Decider, Request
from hitl_prefect.providers import provider_for
from hitl_prefect.providers.scripted import ScriptedProvider
from hitl_prefect.scorers import Learned
from hitl_prefect.shares import Share
from hitl_prefect.stores import FolderStore
from tests.unit.labels import a_label, a_labelled_outcome, labels_of, text_about
from tests.unit.making import a_review, a_route, a_verdict

Category = Literal["refund", "delivery", "account"]


class Ticket(BaseModel):
    category: Category


class TwoFields(BaseModel):
    category: Category
    urgent: bool


@pytest.fixture(scope="module")
def trained() -> TextClassifier:
    return train_classifier(labels_of(120), task="support")


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path)


def changed(classifier: TextClassifier, **changes: object) -> bytes:
    return json.dumps(json.loads(classifier.stored) | changes).encode()


def test_read_back_it_gives_the_very_same_probabilities(trained, store):
    """To the last bit, also for words that it never saw."""
    kept = keep_model(store, trained)
    again = read_model(store, "support").classifier
    texts = [text_about("refund", 900), text_about("account", 901), "nothing known", ""]

    assert (kept.version, again, again.stored) == (1, trained, trained.stored)
    assert np.array_equal(again.probabilities(texts), trained.probabilities(texts))
    assert np.allclose(again.probabilities(texts).sum(axis=1), 1)


def test_it_tells_the_labels_apart_and_says_how_well(trained):
    """On the fifth of the cases that it was not trained on, beside always saying the same."""
    held = trained.held_out

    assert trained.labels == ("account", "delivery", "refund")
    assert (held.by, held.right.hits, sum(trained.trained_on.values()) + held.right.of) == ("hash", held.right.of, 120)
    assert held.guessing.value < 0.6 < held.low <= 1 == held.high


def test_two_labels_are_as_likely_together_as_one(store):
    """scikit-learn keeps the weights of one of two labels only."""
    made = train_classifier([a_label(n, "refund" if n % 2 else "account") for n in range(80)], task="support")
    (row,) = made.probabilities([text_about("refund", 500)])

    assert made.labels == ("account", "refund")
    assert row[1] > 0.8
    assert row.sum() == pytest.approx(1)


def test_the_same_labels_in_another_order_make_the_same_classifier(trained):
    assert train_classifier(reversed(labels_of(120)), task="support").stored == trained.stored


def test_audits_are_the_test_and_never_trained_on():
    """With 20 of them nothing else is kept out."""
    audits = labels_of(20, first=200, how="audit", propensity=0.05)
    made = train_classifier([*labels_of(60), *audits], task="support")

    assert (made.held_out.by, made.held_out.right.of, made.trained_on) == ("audits", 20, {"prefilled": 60})


def test_few_audits_are_tested_on_beside_a_fifth_of_the_cases():
    made = train_classifier([*labels_of(100), *labels_of(5, first=200, how="audit")], task="support")

    assert made.held_out.by == "hash"
    assert sum(made.trained_on.values()) + made.held_out.right.of == 105
    assert set(made.trained_on) == {"prefilled"}


def test_labels_of_clusters_are_only_trained_on():
    made = train_classifier([*labels_of(60), *labels_of(60, first=300, how="cluster")], task="support")

    assert made.trained_on["cluster"] == 60
    assert made.trained_on["prefilled"] + made.held_out.right.of == 60


@pytest.mark.parametrize(
    "labels",
    [labels_of(FEWEST_LABELS - 1), [a_label(n, "refund") for n in range(80)], []],
    ids=["few", "one kind", "none"],
)
def test_too_few_labels_are_refused_with_how_many_it_takes(labels):
    with pytest.raises(ConfigError, match=r"a classifier needs 30 of 2 kinds; review more"):
        train_classifier(labels, task="support")


def test_without_scikit_learn_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[learn\]'"):
        train_classifier(labels_of(60), task="support")


@pytest.mark.parametrize(("module", "said"), [("sklearn", "scikit-learn"), ("numpy", "NumPy")])
def test_a_stored_classifier_that_cannot_be_used_here_says_what_to_install(trained, monkeypatch, module, said):
    """It is not taken for a damaged one."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtra, match=rf"a classifier needs {said}: pip install 'hitl_prefect\[learn\]'"):
        TextClassifier.read(trained.stored, where="models/v1/task=support/000001.json").probabilities(["money"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": "AAAA"}, "weights holds 3 bytes"),
        ({"intercepts": "AADAfwAAwH8AAMB/"}, "intercepts holds what is no finite number"),
        ({"idf": "not base64!"}, "idf: "),
        ({"schema": "hitl.classifier/v2"}, "schema: "),
        ({"labels": ["refund", "delivery", "account"]}, "labels are not sorted"),
        ({"labels": ["account", "account", "refund"]}, "labels are not sorted, or one is there twice"),
        ({"run": "__import__('os')"}, "run: Extra inputs"),
        ({"task": "../../etc"}, "task: "),
    ],
)
def test_a_file_that_was_changed_is_refused(trained, store, changes, said):
    """Whoever may write into the store may have written it."""
    store.put_once("models/v1/task=support/000001.json", changed(trained, **changes))

    with pytest.raises(ConfigError, match=r"is no classifier .*train anew") as refused:
        read_model(store, "support")
    assert said in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"\x80\x04\x95pickle", b"[]", b'{"schema":"hitl.classifier/v1"}'])
def test_what_is_no_classifier_is_refused(store, body):
    store.put_once("models/v1/task=support/000001.json", body)

    with pytest.raises(ConfigError, match="is no classifier"):
        read_model(store, "support")


def test_a_classifier_of_another_task_is_refused(trained, store):
    store.put_once("models/v1/task=mail/000001.json", trained.stored)

    with pytest.raises(ConfigError, match="holds a classifier of task 'support'"):
        read_model(store, "mail")


def test_each_training_is_a_version_and_none_is_changed(trained, store):
    """The very same classifier is not stored twice; a foreign object is no version."""
    other = train_classifier(labels_of(60), task="support")
    store.put_once("models/v1/task=support/notes.txt", b"mine")
    versions = [keep_model(store, one).version for one in (trained, trained, other)]

    assert (versions, newest_version(store, "support")) == ([1, 1, 2], 2)
    assert read_model(store, "support", 1).classifier == trained
    assert read_model(store, "support").name == "support/000002"


async def test_as_a_model_it_answers_with_the_likeliest_label(trained, store):
    """In a bare answer and in the one field of a model, with its probability and its version."""
    keep_model(store, trained)
    model = provider_for(f"embedded:support@{store.url}")
    case = Case(id="c1", task="mail", prompt=text_about("refund", 700), answer=Category)
    bare, filled = await ask(model, case), await ask(model, case.model_copy(update={"answer": Ticket}))

    assert (bare.answer, filled.answer, bare.model) == ("refund", {"category": "refund"}, "support/000001")
    assert bare.probability == filled.probability == trained.probabilities([case.prompt]).max()
    assert bare.cost_usd == 0


async def test_a_version_can_be_named(trained, store):
    keep_model(store, trained)
    keep_model(store, train_classifier(labels_of(60), task="support"))
    case = Case(id="c1", task="mail", prompt="money", answer=Category)

    made = [await ask(provider_for(f"embedded:{name}@{store.url}"), case) for name in ("support", "support/1")]

    assert [one.model for one in made] == ["support/000002", "support/000001"]


async def test_a_label_that_the_answer_type_lacks_is_never_said(trained, store):
    """The next one is, with its own small probability, so that a person sees it."""
    keep_model(store, trained)
    model = provider_for(f"embedded:support@{store.url}")
    case = Case(id="c1", task="mail", prompt=text_about("refund", 700), answer=Literal["delivery", "other"])
    made = await ask(model, case)

    assert made.answer == "delivery"
    assert made.probability < 0.2


@pytest.mark.parametrize(
    ("answer", "said"), [(Literal["yes", "no"], "takes none of the labels"), (TwoFields, "has 2 fields")]
)
async def test_an_answer_type_without_a_place_for_a_label_is_refused(trained, store, answer, said):
    keep_model(store, trained)
    request = Request(messages=(Message(role="user", content="money"),), answer=answer)

    with pytest.raises(ConfigError, match=said):
        await provider_for(f"embedded:support@{store.url}").generate(request)


async def test_a_model_that_nobody_trained_is_refused_with_the_command(store):
    case = Case(id="c1", task="mail", prompt="money", answer=Category)

    with pytest.raises(ConfigError, match=r"hitl train --store .* --task mail"):
        await ask(provider_for(f"embedded:mail@{store.url}"), case)


@pytest.mark.parametrize("name", ["embedded:Mail@folder:x", "embedded:@folder:x", "embedded:mail@", "embedded:a/b@x"])
def test_a_name_of_no_trained_model_is_refused(name):
    with pytest.raises(ConfigError, match="embedded:<task>@<store>"):
        provider_for(name)


async def test_as_a_scorer_it_says_how_likely_the_draft_of_another_model_is(trained, store):
    """Of a label that it never saw it says nothing, so that a person is asked."""
    keep_model(store, trained)
    policy = Policy(scorers=(Learned(model=f"embedded:support@{store.url}"),))
    case = Case(id="c1", task="mail", prompt=text_about("refund", 700), answer=str)
    said = [
        await draft_and_score(case, model=ScriptedProvider([json.dumps({"answer": answer})]), policy=policy)
        for answer in ("refund", "delivery", "praise")
    ]
    (row,) = trained.probabilities([case.prompt])

    assert [one.score.confidence for one in said] == [row[2], row[1], None]
    assert [one.score.combined for one in said] == ["learned:support"] * 3
    assert said[2].score.parts[-1].reason == "support/000001 never saw this label"


def test_it_is_a_decider(store):
    assert isinstance(provider_for(f"embedded:support@{store.url}"), Decider)


def test_only_what_people_decided_is_a_label():
    """Not what the model, the deadline or a rejection decided, nor an answer with several fields."""
    kept = a_labelled_outcome(1)
    others = [
        a_labelled_outcome(2, decision="accept", decided_by="model", review=None, route=a_route()),
        a_labelled_outcome(3, decision="reject", final_answer=None),
        a_labelled_outcome(4, decision="fallback", decided_by="deadline"),
        a_labelled_outcome(5, final_answer={"a": "x", "b": "y"}),
        a_labelled_outcome(6, final_answer=7),
        a_labelled_outcome(7, review=a_review(a_verdict(bulk=True))),
    ]

    assert labelled([kept, *others]) == [
        Labelled(case_id="c1", text=text_about("delivery", 1), label="delivery", how="prefilled", propensity=1.0)
    ]


def test_training_reads_the_store_and_stores_a_version_unless_it_is_dry(store):
    for number in range(90):
        outcome = a_labelled_outcome(number)
        store.put_once(f"outcomes/v1/task=support/dt=2026-01-02/{outcome.case.id}.json", outcome.stored)
    store.put_once("outcomes/v1/task=support/dt=2026-01-02/bad.json", b"{")
    dry, wet = (train(store.url, task="support", dry_run=is_dry) for is_dry in (True, False))

    assert (dry.model, dry.version, wet.model, wet.version) == (None, None, f"embedded:support@{store.url}", 1)
    assert (wet.labels, wet.unreadable, wet.held_out) == (("account", "delivery", "refund"), 1, dry.held_out)
    assert isinstance(wet.held_out, HeldOut)
    assert wet.held_out.right == Share(hits=wet.held_out.right.of, of=90 - sum(wet.trained_on.values()))


async def test_whoever_reads_along_gets_the_whole_answer_at_once(trained, store):
    keep_model(store, trained)
    read = []
    request = Request(messages=(Message(role="user", content=text_about("refund", 700)),), answer=Category)
    reply = await provider_for(f"embedded:support@{store.url}").generate(request, on_text=read.append)

    assert (read, reply.text) == ([reply.text], '{"answer": "refund"}')


async def test_a_prompt_without_a_user_message_is_refused(trained, store):
    """The instructions are the same for every case: their class would be too."""
    keep_model(store, trained)
    request = Request(messages=(Message(role="system", content="Sort the mail."),), answer=Category)

    with pytest.raises(ConfigError, match="classifies the last user message, and the prompt holds none"):
        await provider_for(f"embedded:support@{store.url}").generate(request)
