"""Saved blocks in place of names, and the keys that they hold."""

import json

import pytest
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect.blocks import FolderStoreBlock, OpenAIModel, ReviewPolicy, S3StoreBlock
from hitl_prefect.combining import Combination, FittedFor, Term
from hitl_prefect.configured import policy_of, provider_of, store_of
from hitl_prefect.direct import draft_and_score
from hitl_prefect.errors import ConfigError
from hitl_prefect.learning import keep_model, train_classifier
from hitl_prefect.models import Case
from hitl_prefect.policy import Policy
from hitl_prefect.scorers import Agreement, Judge
from hitl_prefect.stores import FolderStore
from tests.unit.labels import labels_of, text_about

CAREFUL = {"min_confidence": 0.9}
KEY = "sk-a-very-secret-key"
SECRET = "a-very-secret-access-key"


@pytest.fixture(scope="module")
def blocks(site, model):
    """A model and two stores, saved as a user does it."""
    triage = OpenAIModel(model="gpt-5-mini", api_key=KEY, base_url=model.ai.openai_url)
    dead = {"endpoint_url": "http://127.0.0.1:9", "aws_access_key_id": "AK", "aws_secret_access_key": SECRET}
    with temporary_settings({PREFECT_API_URL: site.server.api_url}):
        triage.save("triage", overwrite=True)
        FolderStoreBlock(path=str(site.folder / "by-block")).save("here", overwrite=True)
        S3StoreBlock(bucket="nowhere", **dead).save("dead", overwrite=True)


def everything_said_about(site, run):
    """What a reader of the server's API sees of a run: parameters, state, logs, inputs."""
    inputs = site.api.post(f"/flow_runs/{run}/input/filter", json={"prefix": "", "limit": 100}).json()
    return json.dumps([site.run(run), site.logs(run), inputs])


def test_names_of_blocks_stand_for_model_and_store(site, blocks, document, model):
    """The key is sent to the provider and is nowhere else."""
    flow = site.deploy("invoices.py:extract_async")
    run = site.start_as_declared(flow, document=document, store="here", model="triage", policy=CAREFUL)
    site.wait_for_question(run)
    site.answer(run, decision="approve")
    site.wait(run, "Completed")

    (stored,) = (site.folder / "by-block" / "outcomes").rglob(f"{run}.json")
    asked = next(one for one in model.ai.requests if document in str(one.body))
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in everything_said_about(site, run) + stored.read_text()


def test_a_store_that_fails_does_not_tell_its_key(site, blocks, document):
    """The message names the store and what to do; the flow run's state and log hold no secret."""
    flow = site.deploy("invoices.py:store_at_once")
    run = site.start_as_declared(flow, store="dead")
    site.wait(run, "Failed")

    said = everything_said_about(site, run)
    assert "nowhere" in said
    assert SECRET not in said


def test_a_policy_keeps_its_scorers_and_its_fitted_combination_in_a_block(prefect_server):
    """Settings, weights and version come back as they were saved."""
    policy = Policy(
        scorers=("stated", Agreement(model="second", fields=("total",)), Judge(models=("second",))),
        combine=Combination(
            fitted_for=FittedFor(task="invoices", models=("gpt-5-mini",), cases=200, wrong=40),
            scale="confidence",
            intercept=1.4,
            terms=(Term(name="stated", weight=2, centre=0.9), Term(name="agreement:second", weight=3, centre=0.8)),
        ),
    )
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        ReviewPolicy(policy=policy).save("fitted", overwrite=True)
        loaded = ReviewPolicy.load("fitted").policy

    assert (loaded, loaded.version) == (policy, policy.version)


@pytest.mark.parametrize("named", [store_of, provider_of, policy_of])
async def test_a_block_of_another_kind_is_refused(prefect_server, named):
    """Whoever starts a run may name any block that is saved, the secrets of others too."""
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        await Secret(value=SECRET).asave("of-others", overwrite=True)
        with pytest.raises(ConfigError, match="no block 'of-others' of type hitl-") as refused:
            await named("secret/of-others")

    assert SECRET not in str(refused.value)


async def test_a_trained_model_may_stand_in_a_store_that_is_named_by_its_block(prefect_server, tmp_path):
    """`embedded:<task>@<block>`; a block that nobody saved is named."""
    kept = keep_model(FolderStore(tmp_path), train_classifier(labels_of(90), task="support"))
    case = Case(id="c1", task="support", prompt=text_about("refund", 700), answer=str)
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        await FolderStoreBlock(path=str(tmp_path)).save("kept", overwrite=True)
        drafted = [
            await draft_and_score(case, model=await provider_of(name))
            for name in ("embedded:support@kept", "embedded:support/1@hitl-folder-store/kept")
        ]
        with pytest.raises(ConfigError, match="no block 'gone'"):
            await provider_of("embedded:support@gone")

    assert [(one.generation.answer, one.generation.model) for one in drafted] == [("refund", kept.name)] * 2
