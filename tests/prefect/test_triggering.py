"""Starting from outside: `hitl run`, `hitl wait`, curl, Python and a pipeline, on a server that asks for a password."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import yaml
from prefect import flow
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from prefect.utilities.callables import parameter_schema

from hitl_prefect import Case, Policy, conclude, generate, resolve_case, resolve_cases, route, save_outcome, score
from hitl_prefect.checks import Check
from hitl_prefect.demo.processes import prefect_server
from hitl_prefect.detached.flow import review
from hitl_prefect.providers.scripted import register
from tests.prefect.resident import Resident
from tests.prefect.terminal import Terminal, hitl
from tests.servers.machine import wait_until

# Prefect closes no client of an async flow.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/triggering.md").read_text("utf-8")
PASSWORD = "ada:secret"
CASE, BATCH = "resolve-case/resolve-case", "resolve-batch/resolve-batch"
UNSURE = {"min_confidence": 0.999}


class Guarded(Resident):
    """Runs in here what is started on a server that asks for a password."""

    def __init__(self, server, folder):
        super().__init__(server, folder)
        self.api.auth = httpx.BasicAuth(*PASSWORD.split(":"))
        self.deployed = {}

    def connected(self):
        return temporary_settings(
            {
                PREFECT_API_URL: self.server.api_url,
                PREFECT_API_AUTH_STRING: PASSWORD,
                PREFECT_LOGGING_TO_API_ENABLED: False,
            }
        )

    def deploy(self, entrypoint, **parameters):
        """A flow of the project under its own name, as `prefect deploy` would; nobody polls for it."""
        flow = load_flow_from_entrypoint(f"{ROOT}/flows/{entrypoint}")
        body = {
            "name": flow.name,
            "flow_id": self._post("/flows/", {"name": flow.name})["id"],
            "parameters": {"store": self.store, **parameters},
            "parameter_openapi_schema": parameter_schema(flow).model_dump(),
            "enforce_parameter_schema": True,
            "tags": ["hitl"],
        }
        self._post("/deployments/", body)
        self.deployed[f"{flow.name}/{flow.name}"] = flow

    def hitl(self, *words):
        """A command in this process."""
        with self.connected():
            return hitl(self.server.api_url, *words)

    def begin(self, *words, deployment=CASE):
        """`hitl run` without waiting; the run is then run until it waits or ends."""
        started = self.hitl("run", deployment, *words)
        assert started.code == 0, started.err
        run_id = started.out.strip()
        self.adopt(self.deployed[deployment], run_id)
        self.go_on(run_id)
        return run_id

    def decide(self, run_id, decision, **typed):
        self.answer(run_id, decision=decision, reviewer="ada", channel="api", **typed)
        self.go_on(run_id)

    def reviews_of(self, batch):
        """The flow runs of its reviews."""
        wanted = {"flow_runs": {"tags": {"all_": [f"batch:{batch}"]}}}
        return [found["id"] for found in self._post("/flow_runs/filter", wanted)]

    def ends_of(self, batch):
        """How often it was shown that every review of a batch is settled."""
        return sum("Every review is settled" in one for one in self.artifacts(f"hitl-batch-{batch}"))

    def started_by(self, key):
        """The run that somebody else has started under a key."""
        wanted = {"flow_runs": {"idempotency_key": {"any_": [key]}}}
        wait_until(lambda: self._post("/flow_runs/filter", wanted), f"a run under {key!r}", timeout_s=60)
        (found,) = self._post("/flow_runs/filter", wanted)
        return found["id"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Two deployments of the project; the model is embedded, and never sure enough."""
    home = tmp_path_factory.mktemp("guarded")
    settings = {"PREFECT_SERVER_API_AUTH_STRING": PASSWORD, "PREFECT_API_AUTH_STRING": PASSWORD}
    with prefect_server(home / "prefect", PREFECT_SERVER_LOGGING_LEVEL="WARNING", **settings) as server:
        made = Guarded(server, home)
        choices = ["account", "billing", "delivery", "feedback", "refund", "technical"]
        made.deploy("resolve_case.py:resolve_one_case", choices=choices, policy=UNSURE)
        made.deploy("resolve_batch.py:resolve_batch", choices=choices, policy=UNSURE)
        yield made
        made.api.close()


def asking(case, *words):
    return ("--param", "prompt=Where is my parcel?", "--param", f"case_id={case}", *words)


def test_what_a_person_decides_is_the_exit_code(guarded):
    """4 while nobody has answered, with where to; then 0 or 3, with the answer on stdout."""
    approved, rejected = guarded.begin(*asking("yes")), guarded.begin(*asking("no"))
    waits = guarded.hitl("wait", "yes", "--timeout", "0.1")
    guarded.decide(approved, "edit", answer="refund")
    guarded.decide(rejected, "reject", reason="Nobody asked.")
    good, bad = guarded.hitl("wait", approved), guarded.hitl("wait", rejected, "--json")
    told = json.loads(bad.out)

    url = f"{guarded.server.ui_url}/v2/runs/flow-run/{approved}"
    assert (waits.code, waits.out) == (4, "")
    assert waits.err.splitlines() == [
        f"waits for a person: support, case yes: below bar; answer at {url}, or by `hitl answer {approved}`",
        f"still waiting after 0.1 s; wait on: hitl wait {approved}",
    ]
    assert (good.code, good.err, good.out.splitlines()[1].split()) == (
        0,
        "accepted or approved\n",
        ["yes", "edit", "human", '"refund"'],
    )
    assert (bad.code, told["code"], told["state"]) == (3, 3, "Completed")
    assert [(one["case"], one["decision"], one["final_answer"]) for one in told["decided"]] == [("no", "reject", None)]


def test_the_same_key_is_the_same_run_and_no_second_case(guarded):
    """A pipeline that is run again; with other parameters the key is refused."""
    key = ("--idempotency-key", "commit-1")
    first, again = (guarded.hitl("run", CASE, *asking("once", *key)) for _ in range(2))
    other = guarded.hitl("run", CASE, *asking("twice", *key))

    assert (first.code, again.out) == (0, first.out)
    assert (other.code, other.err) == (
        2,
        f"hitl: idempotency key 'commit-1' stands for flow run {first.out.strip()}, which was started with other "
        "parameters (case_id): give this one another key\n",
    )


def test_what_the_model_decides_alone_is_accepted_and_told_by_a_later_run_too(guarded):
    """A parameter that takes no text is JSON; a case that another run has decided is not asked about again."""
    policy = ("--param", 'policy={"min_confidence": 0}')
    runs = [guarded.begin(*asking("decided", *policy)) for _ in range(2)]
    first, later = (guarded.hitl("wait", run, "--json") for run in runs)
    (told,) = json.loads(first.out)["decided"]

    assert (first.code, later.code, told["decided_by"]) == (0, 0, "model")
    assert json.loads(later.out)["decided"] == [told]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", "resolve-case/nowhere"], 2, "no deployment 'resolve-case/nowhere'"),
        (["run", "nowhere"], 2, "`prefect deployment ls` lists what there is"),
        (["run", CASE, "--param", "promt=x"], 2, "did you mean 'prompt'?"),
        (["run", CASE, "--param", "stream=yes"], 2, "'stream' is no text"),
        (["run", CASE], 2, "'prompt' is a required property"),
        (["run", CASE, "--params-json", '{"prompt": 3}'], 2, "3 is not of type 'string'"),
        (["wait", str(UUID(int=7))], 1, f"no flow run {UUID(int=7)}"),
    ],
)
def test_a_mistake_is_named_and_starts_nothing(guarded, words, code, says):
    done = guarded.hitl(*words)

    assert (done.code, says in done.err, done.out) == (code, True, ""), done.err


def test_without_the_password_the_doctor_and_the_command_say_what_to_set(guarded):
    """And with it the doctor finds the server guarded."""
    seen = json.loads(guarded.hitl("doctor", "--json").out)["checks"]
    with temporary_settings({PREFECT_API_AUTH_STRING: "ada:guessed"}):
        refused = hitl(guarded.server.api_url, "doctor", "--json")
        started = hitl(guarded.server.api_url, "run", CASE)

    access = Check(what="access", state="ok", found="the server asks for a password, and takes ours")
    assert access.model_dump() in seen
    assert "secret" not in json.dumps(seen)
    assert (
        Check(
            what="server",
            state="fail",
            found=f"{guarded.server.api_url} answers 401",
            follows="set PREFECT_API_AUTH_STRING=user:password, or PREFECT_API_KEY for Prefect Cloud",
        ).model_dump()
        in json.loads(refused.out)["checks"]
    )
    assert (started.code, "set PREFECT_API_KEY or PREFECT_API_AUTH_STRING" in started.err) == (1, True)


@pytest.mark.full
def test_ctrl_c_leaves_the_run_and_says_how_to_wait_on(guarded):
    """The run is not ours to stop."""
    run = guarded.begin(*asking("patience"))
    with Terminal(guarded.server.api_url, "wait", run, PREFECT_API_AUTH_STRING=PASSWORD) as terminal:
        terminal.see("waits for a person")
        terminal.press(b"\x03")
        terminal.see(f"The run goes on without us; wait on: hitl wait {run}")

        assert (terminal.end(), guarded.state(run)) == (130, "Suspended")


@pytest.mark.usefixtures("collected")
def test_a_batch_is_waited_for_with_its_reviews(guarded, tmp_path):
    """4 while one waits; then 3, since a person has rejected one of the cases."""
    source = tmp_path / "cases.jsonl"
    source.write_text("".join(json.dumps({"id": f"b-{one}", "prompt": "Where is it?"}) + "\n" for one in "12"))
    run = guarded.begin("--param", f"source={source}", deployment=BATCH)
    waits = guarded.hitl("wait", run, "--timeout", "0.1", "--json")
    (batch,) = json.loads(waits.out)["batches"]
    one, other = guarded.reviews_of(batch["batch"])
    guarded.adopt(review, one, other)
    guarded.decide(one, "approve")
    guarded.decide(other, "reject", reason="No.")
    done = guarded.hitl("wait", run, "--json")

    assert (waits.code, batch["reviews"], batch["people"]) == (4, 2, {})
    assert "2 reviews wait for people or have not ended" in waits.err
    assert (done.code, json.loads(done.out)["batches"][0]["people"]) == (3, {"approve": 1, "reject": 1})


@flow
def one_after_the_other(store: str, sources: tuple[str, ...]) -> None:
    """A batch per file, named like it, and a case of its own."""
    common = {"task": "support", "store": store, "policy": Policy(min_confidence=0.8)}
    with temporary_settings({PREFECT_HOME: Path(sources[0]).parent / "home"}):
        for source in sources:
            resolve_cases(source, model="scripted:unsure", batch=Path(source).stem, **common)
    resolve_case("Is it?", model="scripted:sure", case_id="beside-batches", **common)


@pytest.mark.usefixtures("collected")
def test_a_run_with_several_batches_ends_as_the_worst_of_them(guarded, tmp_path):
    """Each keeps its own summary and tells its own end; what the run decided itself is told beside them."""
    register("unsure", [json.dumps({"answer": "yes", "confidence": 0.5})])
    register("sure", [json.dumps({"answer": "yes", "confidence": 0.9})])
    names = ("day-1", "day-1-again")
    for name in names:
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": f"of-{name}", "prompt": "Where is it?"}))
    run = guarded.start(one_after_the_other, sources=[str(tmp_path / f"{name}.jsonl") for name in names])
    first, second = (guarded.reviews_of(name)[0] for name in names)
    guarded.adopt(review, first, second)
    guarded.decide(first, "reject", reason="No.")
    half, ends = guarded.hitl("wait", run, "--timeout", "0.1"), [guarded.ends_of(name) for name in names]
    guarded.decide(second, "approve")
    done = guarded.hitl("wait", run, "--json")
    told = json.loads(done.out)

    assert (half.code, half.err.splitlines()[0].split(";")[0]) == (4, "1 reviews wait for people or have not ended")
    assert (done.code, ends) == (3, [1, 0])
    assert [guarded.ends_of(name) for name in names] == [1, 1]
    assert {one["batch"]: one["people"] for one in told["batches"]} == {
        names[0]: {"reject": 1},
        names[1]: {"approve": 1},
    }
    assert [(one["case"], one["decision"]) for one in told["decided"]] == [("beside-batches", "accept")]


def environment(guarded, number, tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    facts = {"TITLE": 'Where is "$(my)" parcel?', "NUMBER": number, "GITHUB_OUTPUT": str(tmp_path / "output")}
    return guarded.server.env | {"PATH": path, **facts}


def starting(guarded, script, number, tmp_path):
    """A script that starts issue-NUMBER and waits."""
    return subprocess.Popen(
        ["bash", "-e", "-c", script],
        env=environment(guarded, number, tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(guarded, number, started):
    """What it prints, once a person has answered `refund`."""
    run = guarded.started_by(f"issue-{number}")
    guarded.adopt(guarded.deployed[CASE], run)
    guarded.go_on(run)
    guarded.decide(run, "edit", answer="refund")
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0, err
    return out


def test_the_pipeline_of_the_project_and_curl_wait_and_give_the_answer_on(guarded, tmp_path):
    """The lines of the workflow, but for the installation, and those of the page; text from outside stays as it is."""
    workflow = yaml.safe_load((ROOT / "deployments/github/review.yml").read_text("utf-8"))
    install, *steps = [step["run"] for step in workflow["jobs"]["ask"]["steps"] if "run" in step]
    (curl,) = re.findall(r"```sh\n(ask\(\).*?)```", PAGE, re.DOTALL)
    with (
        starting(guarded, "\n".join(steps), "17", tmp_path) as pipeline,
        starting(guarded, curl.replace("sleep 5", "sleep 0.2"), "18", tmp_path) as by_curl,
    ):
        read = answered(guarded, "18", by_curl)
        answered(guarded, "17", pipeline)
    titles = [one["case"]["messages"][-1]["content"] for one in guarded.stored() if "issue-1" in one["case"]["id"]]

    assert json.loads(read) == [{"decision": "edit", "final_answer": "refund"}]
    assert (tmp_path / "output").read_text() == 'answer="refund"\n'
    assert titles == ['Where is "$(my)" parcel?'] * 2
    assert (install, steps[0] in PAGE) == ("pip install hitl_prefect", True)


def test_the_python_of_the_page_waits_and_returns_the_label(guarded):
    """Called again, it finds what was decided."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found = {}
    exec(code, found)
    run = guarded.begin(*asking("issue-19", "--idempotency-key", "issue-19"))
    guarded.decide(run, "edit", answer="billing")
    with guarded.connected():
        label = found["label_of"](19, "Where is my parcel?")

    assert label == "billing"


@flow
def by_hand(store: str) -> None:
    """The steps that `resolve_case` takes."""
    case = Case(id="by-hand", task="support", prompt="Is it?")
    generation = generate(case, model="scripted:by-hand")
    policy = Policy(min_confidence=0.5)
    scored = score(case, generation, policy=policy)
    routed = route(case, generation, scored, policy=policy)
    save_outcome(conclude(case, generation, scored, routed, policy=policy), store=store)


@flow
def without_a_case(store: str) -> None:
    """Decides nothing."""


def test_steps_taken_by_hand_tell_what_they_decided_and_a_flow_without_a_case_fails_closed(guarded):
    """`save_outcome` leaves it for whoever waits; nothing decided is no consent."""
    register("by-hand", [json.dumps({"answer": "yes", "confidence": 0.9})])
    runs = [guarded.start(one) for one in (by_hand, without_a_case)]
    told, nothing = (guarded.hitl("wait", run) for run in runs)

    assert (told.code, told.out.splitlines()[1].split()) == (0, ["by-hand", "accept", "model", '"yes"'])
    assert (nothing.code, nothing.err.startswith("completed, and decided no case")) == (1, True)
