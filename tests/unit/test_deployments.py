"""What deployments/ says, read without a server: nothing misspelt, nothing left out, nothing unpinned.

`make check` lints the same files with hadolint, and against the schemas of Compose, GitHub and Kubernetes.
"""

import importlib
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from prefect.cli.deploy._models import ConcurrencyLimitSpec, DeploymentConfig, RawScheduleConfig, WorkPoolConfig
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings.legacy import _get_settings_fields
from prefect.settings.models.root import Settings

from hitl_prefect._version import __version__

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployments"
TEXT = (FOLDER / "prefect.yaml").read_text("utf-8")
KINDS = ("process", "docker", "kubernetes")
OWN = ROOT / "hitl_prefect" / "data" / "init" / "prefect.yaml"


def deployments(kind="process"):
    """What is deployed to a kind of work pool."""
    return yaml.safe_load(TEXT.replace("<<: *process", f"<<: *{kind}"))["deployments"]


def flow_of(deployment):
    """The flow that an entrypoint names."""
    path, _, name = deployment["entrypoint"].partition(":")
    return getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)


ALL = [pytest.param(one, id=one["name"]) for one in deployments()]


def test_every_flow_is_deployed_once_under_its_own_name():
    """And every deployment is of a flow that is there."""
    assert sorted(one["entrypoint"].split(":")[0] for one in deployments()) == sorted(
        f"flows/{path.name}" for path in (ROOT / "flows").glob("*.py")
    )
    assert [one["name"] for one in deployments()] == [flow_of(one).name for one in deployments()]


def test_the_guide_says_when_to_run_every_deployment():
    """In the table of docs/deploying.md."""
    rows = [line for line in (ROOT / "docs" / "deploying.md").read_text("utf-8").splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall("`([a-z-]+)`", row.split("|")[1])}

    assert {one["name"] for one in deployments()} - told == set()


@pytest.mark.parametrize("one", [*ALL, pytest.param(yaml.safe_load(OWN.read_text())["deployments"][0], id="own")])
def test_nothing_is_said_that_prefect_would_pass_over(one):
    """Prefect ignores a key that it does not know: a misspelt limit would not limit."""
    assert one.keys() <= DeploymentConfig.model_fields.keys()
    assert one["work_pool"].keys() <= WorkPoolConfig.model_fields.keys()
    assert one["concurrency_limit"].keys() <= ConcurrencyLimitSpec.model_fields.keys()
    assert one["concurrency_limit"]["collision_strategy"] in ("ENQUEUE", "CANCEL_NEW")
    assert {"hitl", "hitl-upkeep"} & set(one["tags"])


@pytest.mark.parametrize("one", [*ALL, pytest.param(yaml.safe_load(OWN.read_text())["deployments"][0], id="own")])
def test_a_schedule_by_the_clock_names_its_time_zone(one):
    """Else it would follow the server's, and not summer time."""
    for schedule in map(RawScheduleConfig.model_validate, one.get("schedules", ())):
        assert isinstance(schedule.active, bool)
        if schedule.cron:
            assert CronSchedule(cron=schedule.cron, timezone=schedule.timezone).timezone in ("Europe/Berlin", "UTC")


@pytest.mark.parametrize("one", ALL)
def test_the_form_of_a_run_tells_what_each_parameter_is(one):
    """The Prefect UI shows the description of the schema; what is declared is valid by it."""
    schema = flow_of(one).parameters.model_dump()
    declared = {**schema, "$defs": schema["definitions"], "type": "object"}

    assert [name for name, field in schema["properties"].items() if not field.get("description")] == []
    assert list(Draft202012Validator(declared).iter_errors(one["parameters"])) == []
    assert set(schema.get("required", ())) <= set(one["parameters"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_work_pool_takes_the_job_variables_that_it_is_given(kind):
    """By the schema that Prefect itself ships for that kind of worker."""
    views = files("prefect.server.api").joinpath("collections_data", "views", "aggregate-worker-metadata.json")
    workers = {name: worker for each in json.loads(views.read_text()).values() for name, worker in each.items()}
    variables = workers[kind]["default_base_job_configuration"]["variables"]
    pools = [one["work_pool"] for one in deployments(kind)]
    given = pools[0].get("job_variables", {})

    assert {json.dumps(pool) for pool in pools} == {json.dumps(pools[0])}
    assert pools[0]["name"] == ("hitl" if kind == "process" else f"hitl-{kind}")
    assert given.keys() <= variables["properties"].keys()
    assert list(Draft202012Validator(variables).iter_errors(given)) == []
    assert all(("pull" in one) == (kind != "process") for one in deployments(kind))


def test_flows_are_found_where_the_image_keeps_them():
    """The working directory of the Dockerfile is that of the pull step."""
    (place,) = re.findall(r"^WORKDIR (/home\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)

    for kind in ("docker", "kubernetes"):
        for one in deployments(kind):
            assert one["pull"] == [{"prefect.deployments.steps.set_working_directory": {"directory": place}}]


def test_every_image_is_pinned_and_ours_is_of_this_version():
    """`latest` is another one tomorrow."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"].values()
    manifest = yaml.safe_load((FOLDER / "kubernetes" / "kustomization.yaml").read_text())
    used = {one["image"] for one in compose}
    used |= {one["work_pool"]["job_variables"]["image"] for kind in KINDS[1:] for one in deployments(kind)}
    used |= {f"{image['newName']}:{image['newTag']}" for image in manifest["images"]}
    used |= {seal_pod()["containers"][0]["image"]}
    used |= set(re.findall(r"^FROM (\S+)", (FOLDER / "Dockerfile").read_text(), re.MULTILINE))
    ours = {image for image in used if re.search(r"(^|/)hitl:", image)}

    assert ours == {f"hitl:{__version__}", f"registry.example.com/hitl:{__version__}"}
    assert [image for image in used if not re.search(r":\d+\.\d+\.?\d*", image)] == []


def test_the_image_runs_as_nobody_in_particular():
    """By number, so that Kubernetes can tell that it is not root."""
    users = re.findall(r"^USER (\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    workloads = [one for one in manifests() if one["kind"] in ("Deployment", "Job")]
    run_as = {one["spec"]["template"]["spec"]["securityContext"]["runAsUser"] for one in workloads}

    assert (users, run_as) == (["10001"], {10001})


def seal_pod():
    """What seals a ledger with a key, where somebody wants that."""
    manifest = yaml.safe_load((FOLDER / "kubernetes" / "ledger" / "seal.yaml").read_text())
    return manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_key_of_the_ledger_is_read_by_one_pod_through_its_group():
    """Secrets are root's: without a group our user cannot read one that is closed to others."""
    pod, keys = seal_pod(), {"name": "keys", "secret": {"secretName": "ledger-key", "defaultMode": 0o400}}
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]

    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["fsGroup"]) == (10001, 10001)
    assert pod["volumes"] == [keys]
    assert {"name": "HITL_KEYS", "value": mount["mountPath"]} in container["env"]
    assert [one["kind"] for one in manifests() if "ledger-key" in str(one)] == []


def manifests():
    """Every resource of the cluster."""
    places = (path for path in (FOLDER / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
    return [one for path in sorted(places) for one in yaml.safe_load_all(path.read_text())]


def test_the_kustomization_names_every_manifest():
    """A manifest that it leaves out is not applied."""
    named = yaml.safe_load((FOLDER / "kubernetes" / "kustomization.yaml").read_text())["resources"]

    assert sorted([*named, "kustomization.yaml"]) == sorted(p.name for p in (FOLDER / "kubernetes").glob("*.yaml"))


def variables():
    """The names of all environment variables of servers and workers, by file."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    found = {"compose.yaml": {**compose["x-server"], **compose["x-worker"]}}
    for path in (FOLDER / "kubernetes").glob("*.env"):
        found[path.name] = dict(line.split("=", 1) for line in path.read_text().splitlines())
    found["secrets.example"] = dict(
        line.split("=", 1) for line in (FOLDER / "kubernetes" / "secrets.example").read_text().splitlines()
    )
    return found


@pytest.mark.parametrize("file", variables())
def test_every_setting_is_one_that_prefect_has(file):
    """Prefect passes over a variable that it does not know; those of its integrations have a name in front."""
    ours = {name for name in variables()[file] if name.startswith("PREFECT_")}
    others = {name for name in ours if name.startswith(("PREFECT_REDIS_", "PREFECT_INTEGRATIONS_"))}

    assert ours - others - _get_settings_fields(Settings).keys() == set()


def test_no_secret_stands_in_a_file_and_none_has_a_default():
    """What is not set stops `docker compose` with the name of the file to fill in."""
    secrets = {"PREFECT_API_AUTH_STRING", "POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY"}
    text = (FOLDER / "compose.yaml").read_text()
    example = dict(line.split("=", 1) for line in (FOLDER / "env.example").read_text().splitlines() if "=" in line)

    assert {name for name, _ in re.findall(r"\$\{(\w+)(:\?[^}]+)\}", text)} == {*secrets, "AWS_ACCESS_KEY_ID"}
    assert set(re.findall(r"\$\{(\w+)", text)) == example.keys() - {""}
    assert {name for name in secrets if example[name]} == set()


def test_deploying_refuses_a_kind_of_work_pool_that_it_does_not_know():
    """Before anything is made."""
    done = subprocess.run([FOLDER / "deploy.sh", "lambda"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "no kind of work pool: 'lambda'; say process, docker or kubernetes\n"
