"""What `hitl doctor` says of a server, of what is deployed on it, and of keys."""

import pytest
from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT, temporary_settings

from hitl_prefect.checks.finding import Check
from hitl_prefect.checks.seen import Deployed, Pool, Saved, Seen
from hitl_prefect.checks.server import of_server
from hitl_prefect.checks.stores import of_store
from hitl_prefect.checks.work import of_work
from hitl_prefect.cli.doctor import _told

HERE, THERE = "http://127.0.0.1:4200/api", "https://prefect.example.com/api"
CASE = Deployed(name="resolve-case", pool="hitl", named={"store": "outcomes", "model": "embedded:support"})
BATCH = Deployed(name="resolve-batch", pool="hitl", named={"store": "outcomes", "work_pool": "hitl-reviews"})
POOL = Pool(name="hitl", kind="process", is_paused=False, needs_worker=True, workers=1)
REVIEWS = POOL.model_copy(update={"name": "hitl-reviews", "kind": "hitl", "workers": 2})
GOOD = Seen(
    url=THERE,
    version="99.1.0",
    is_cloud=False,
    is_open=False,
    listens_on="0.0.0.0",
    ahead_s=0.4,
    expires_every_s=None,
    keeps_results=False,
    deployments=(CASE, BATCH),
    upkeep=(Deployed(name="chase-reviews", pool="hitl", schedules=(False, True)),),
    pools=(POOL, REVIEWS),
    blocks=(Saved(kind="hitl-s3-store", name="outcomes"),),
)


def said(what, *, ui="https://prefect.example.com", page="https://prefect.example.com/v2/runs/flow-run", **changes):
    """The one check of that name, on a server that is good but for the changes."""
    seen = GOOD.model_copy(update=changes)
    (found,) = [one for one in (*of_server(seen, ui=ui, page=page), *of_work(seen, {})) if one.what == what]
    return found


def test_a_deployment_that_lacks_nothing_is_told_in_a_line_per_check():
    """What is where, in the order in which one would set it up."""
    checks = of_server(GOOD, ui="https://prefect.example.com", page="https://prefect.example.com/v2/runs/flow-run")

    assert _told([*checks, *of_work(GOOD, {"OPENAI_API_KEY": "sk-secret"})]).splitlines() == [
        "ok    server                  https://prefect.example.com/api runs Prefect 99.1.0",
        "ok    access                  the server asks for a password, and takes ours",
        "ok    links                   forms open below https://prefect.example.com/v2/runs/flow-run",
        "ok    clock                   the server's and ours agree to a few seconds",
        "ok    pause expiry            off, or not told; reviews end by their policy's deadline",
        "ok    results                 not kept; reviews go on without",
        "ok    deployments             2 with a tag that begins with hitl",
        "ok    work pool hitl          1 worker is online, of type process",
        "ok    work pool hitl-reviews  2 workers are online, of type hitl",
        "ok    upkeep                  chase-reviews comes by as scheduled",
        "ok    blocks                  saved, as deployments name them: outcomes",
        "ok    keys                    OPENAI_API_KEY is set here, ANTHROPIC_API_KEY is not set here",
        "",
        "All is well.",
    ]


OFF = Deployed(name="chase-reviews", pool="hitl", schedules=(False,))
PAUSED = OFF.model_copy(update={"schedules": (True,), "is_paused": True})


@pytest.mark.parametrize(
    ("what", "changes", "state", "found", "follows"),
    [
        ("server", {"version": "3.0.0"}, "warn", "runs Prefect 3.0.0", "update the server first"),
        ("access", {"is_open": True}, "warn", f"is at {THERE} and asks for no", "PREFECT_SERVER_API_AUTH_STRING"),
        ("access", {"is_open": True, "url": HERE}, "warn", "listens on 0.0.0.0", "PREFECT_API_AUTH_STRING"),
        ("access", {"is_open": True, "url": HERE, "listens_on": ""}, "warn", "whoever reaches it can", "`--host`"),
        ("access", {"is_open": True, "url": HERE, "listens_on": "127.0.0.1"}, "warn", "asks for no", "AUTH_STRING"),
        ("access", {"is_open": True, "url": HERE, "listens_on": "localhost-prod"}, "warn", "listens on local", "AUTH"),
        ("access", {"is_open": True, "url": "http://localhost-prod.example/api"}, "warn", "is at http://local", "AUTH"),
        ("access", {"url": "http://127.evil.example/api"}, "warn", "begins with http:", "TLS"),
        ("access", {"url": "http://prefect.example.com/api"}, "warn", "begins with http:", "TLS"),
        ("links", {"page": "http://127.0.0.1:4200/v2/runs/flow-run"}, "warn", "only on this machine", "PREFECT_UI_URL"),
        ("clock", {"ahead_s": -7.0}, "warn", "7 s behind ours", "NTP"),
        ("pause expiry", {"expires_every_s": 5.0}, "warn", "each 5 s", "PAUSE_EXPIRATIONS_ENABLED=false"),
        ("pause expiry", {"expires_every_s": 60.0}, "ok", "each 60 s", ""),
        ("results", {"keeps_results": True}, "ok", "that all workers share", ""),
        ("deployments", {"deployments": ()}, "warn", "none", "deploy --all"),
        ("work pool hitl", {"pools": (REVIEWS,)}, "fail", "there is none", "work-pool create hitl"),
        ("work pool hitl-reviews", {"pools": (POOL,)}, "fail", "there is none", "`hitl worker`"),
        ("upkeep", {"upkeep": ()}, "warn", "not deployed", "deploy it"),
        ("upkeep", {"upkeep": (OFF,)}, "warn", "no schedule", "schedule"),
        ("upkeep", {"upkeep": (PAUSED,)}, "warn", "no schedule", "schedule"),
        ("blocks", {"blocks": ()}, "fail", "not saved: outcomes", "save_blocks.py"),
        (
            "blocks",
            {"blocks": (Saved(kind="hitl-openai-model", name="outcomes"),)},
            "fail",
            "outcomes",
            "save_blocks.py",
        ),
        ("blocks", {"deployments": (Deployed(name="a", pool=None),)}, "ok", "none named", ""),
    ],
)
def test_what_is_amiss_is_named_with_the_next_step(what, changes, state, found, follows):
    """One check says it."""
    check = said(what, **changes)

    assert (check.state, found in check.found, follows in check.follows) == (state, True, True), check
    assert bool(check.follows) is (state != "ok")


@pytest.mark.parametrize(
    ("changed", "state", "says"),
    [
        ({"workers": 0}, "fail", "`prefect worker start --pool hitl`"),
        ({"workers": 0, "kind": "hitl"}, "fail", "`hitl worker --pool hitl`"),
        ({"late": 7}, "warn", "start another worker"),
        ({"is_paused": True}, "fail", "`prefect work-pool resume hitl`"),
        ({"workers": 0, "kind": "ecs:push", "needs_worker": False}, "ok", ""),
    ],
)
def test_a_work_pool_that_nobody_polls_is_a_failure(changed, state, says):
    """What is answered there would stand still."""
    check = said("work pool hitl", pools=(POOL.model_copy(update=changed), REVIEWS))

    assert (check.state, says in check.follows) == (state, True)


@pytest.mark.parametrize(
    ("model", "blocks", "lacking"),
    [
        ("openai:gpt-5-mini", (), "OPENAI_API_KEY"),
        ("anthropic:claude-haiku-4-5", (), "ANTHROPIC_API_KEY"),
        ("triage", (Saved(kind="hitl-openai-model", name="triage"),), "OPENAI_API_KEY"),
        ("triage", (Saved(kind="hitl-openai-model", name="triage", has_key=True),), ""),
        ("embedded:support", (), ""),
    ],
)
def test_a_key_that_a_deployment_needs_is_missed_by_its_name(model, blocks, lacking):
    """And no key is ever shown."""
    asks = Deployed(name="ask", pool="hitl", named={"model": model})
    check = said("keys", deployments=(asks,), blocks=blocks)

    assert (check.state, lacking in check.follows) == ("warn" if lacking else "ok", True)


def test_results_that_only_one_worker_finds_are_warned_about():
    """Tasks of the user's own before a review would run again elsewhere, and be paid again."""
    with temporary_settings({PREFECT_RESULTS_PERSIST_BY_DEFAULT: True}):
        check = said("results")

    assert (check.state, "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK" in check.follows) == ("warn", True)


async def test_a_folder_is_no_store_for_several_workers(tmp_path):
    """Each machine has a folder of its own."""
    name = f"folder:{tmp_path}"
    alone, several = [await of_store(name, workers=count) for count in (1, 2)]

    assert alone == Check(what=f"store {name}", state="ok", found="create-if-absent is atomic")
    assert (several.state, "use a bucket" in several.follows) == ("warn", True)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("s3://AKIAXX:s3cr3t@bucket", "store s3://bucket"),
        ("s3://AKIAXX:s3c/r3t@bucket/prefix?secret=s3cr3t", "store s3://bucket/prefix"),
        ("s3://bucket?endpoint_url=http://AKIAXX:s3cr3t@minio:9000", "store s3://bucket"),
        ("s3://bucket/a@b#s3cr3t", "store s3://bucket/a@b"),
        ("s3://AKIAXX:s3c?r3t@bucket", "store s3://…"),
        ("s3://AKIAXX:s3cr3t", "store s3://…"),
    ],
)
async def test_what_somebody_put_into_a_store_s_url_is_not_shown(name, what):
    """Reports are pasted into tickets; a key that stands in a URL is refused anyway."""
    check = await of_store(name)

    assert (check.what, check.state) == (what, "fail")
    assert not any(part in check.model_dump_json() for part in ("AKIA", "s3c", "r3t"))


def test_what_is_to_be_done_stands_below_what_was_found_and_no_name_forges_a_line():
    """Readable without colour."""
    checks = [
        Check(what="work pool a\nok", state="fail", found="it is paused", follows="`prefect work-pool resume a`"),
        Check(what="links", state="warn", found="only here", follows="set PREFECT_UI_URL"),
    ]

    assert _told(checks).splitlines() == [
        r"FAIL  work pool a\nok  it is paused",
        "                       -> `prefect work-pool resume a`",
        "warn  links            only here",
        "                       -> set PREFECT_UI_URL",
        "",
        "1 to mend, 1 to think about",
    ]
