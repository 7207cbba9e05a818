"""Start a run of a deployment, once however often it is asked for."""

import json
from collections.abc import Mapping
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue, ValidationError

from hitl_prefect.connecting import open_client
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.triggering.typed import read_parameters
from hitl_prefect.ui import arun_url

__all__ = ["Started", "astart_run", "start_run"]

_REFUSED = (400, 409, 422)
_TEMPLATE = "__prefect_kind"
_ABSENT = object()


class Started(Frozen):
    """A run that was started, now or before under the same key."""

    run_id: UUID
    name: str
    url: str


async def astart_run(
    deployment: str,
    *,
    parameters: Mapping[str, JsonValue] | None = None,
    typed: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Started:
    """Start a run of a deployment.

    Args:
        deployment: `flow/deployment`, or its id.
        parameters: What the flow is given in place of the deployment's own parameters, as JSON data.
        typed: The same as text that somebody typed: a parameter that takes text gets it as it stands, any other one
            reads it as JSON.
        idempotency_key: Names what is asked for, such as a commit: asked for again it is the same run, among all
            deployments of the flow. With other parameters than it stands for, the deployment's own included, it is
            refused.

    Raises:
        ConfigError: If there is no such deployment, its flow does not take these parameters, or the key stands for a
            run with others.
        ServerUnreachable: If no Prefect server answers.
    """
    async with open_client() as client:
        found = await _deployment(client, deployment)
        given = {**(parameters or {}), **read_parameters(typed or {}, found.parameter_openapi_schema or {})}
        try:
            run = await client.create_flow_run_from_deployment(
                found.id, parameters=given, idempotency_key=idempotency_key
            )
        except PrefectHTTPStatusError as exc:
            if exc.response.status_code not in _REFUSED:
                raise
            raise ConfigError(f"deployment {deployment!r} was not started: {_reason(exc)}") from None
        if idempotency_key:
            _check_same(idempotency_key, run, given=given, standing=found.parameters)
        return Started(run_id=run.id, name=run.name, url=await arun_url(run.id))


def start_run(
    deployment: str,
    *,
    parameters: Mapping[str, JsonValue] | None = None,
    typed: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Started:
    """The same as `astart_run`, where no event loop runs."""
    return run_coro_as_sync(astart_run(deployment, parameters=parameters, typed=typed, idempotency_key=idempotency_key))


async def _deployment(client: PrefectClient, name: str) -> DeploymentResponse:
    help_ = "`prefect deployment ls` lists what there is, as FLOW/DEPLOYMENT"
    try:
        return await client.read_deployment(UUID(name)) if _is_id(name) else await client.read_deployment_by_name(name)
    except (ObjectNotFound, ValidationError, ValueError):
        raise ConfigError(f"no deployment {name!r} on this Prefect server; {help_}") from None


def _is_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


def _reason(exc: PrefectHTTPStatusError) -> str:
    try:
        return str(exc.response.json()["detail"]).removeprefix("Error creating flow run: ")
    except (ValueError, KeyError, TypeError):
        return f"the server answered {exc.response.status_code}"


def _check_same(key: str, run: FlowRun, *, given: Mapping[str, JsonValue], standing: Mapping[str, JsonValue]) -> None:
    """Prefect gives the run of a known key back whatever else is asked for, and whichever of the flow's deployments.

    Args:
        key: The idempotency key.
        run: What Prefect gave back.
        given: The parameters that are asked for.
        standing: The deployment's own parameters, which hold where none is given.
    """
    # What the server renders, such as a variable, is other text in the run; nobody here can tell what.
    rendered = {name for name, value in standing.items() if name not in given and _TEMPLATE in json.dumps(value)}
    wanted = {**standing, **given}
    names = sorted({*run.parameters, *wanted} - rendered)
    if others := [name for name in names if run.parameters.get(name, _ABSENT) != wanted.get(name, _ABSENT)]:
        raise ConfigError(
            f"idempotency key {key!r} stands for flow run {run.id}, which was started with other parameters "
            f"({', '.join(others)}): give this one another key"
        )
