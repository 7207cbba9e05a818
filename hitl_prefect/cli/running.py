"""`hitl run` and `hitl wait`."""

import asyncio
import json as json_
from typing import Annotated, Any
from uuid import UUID

from cyclopts import Parameter, validators

from hitl_prefect.answering import afind
from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, table
from hitl_prefect.errors import ConfigError
from hitl_prefect.inert import visible
from hitl_prefect.triggering import Ending, Started, astart_run, await_ending

__all__ = ["run", "wait"]

_CTRL_C = 130
Timeout = Annotated[float | None, Parameter(name="--timeout", validator=validators.Number(gt=0))]


def _check_param(_hint: object, texts: tuple[str, ...]) -> None:
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise ValueError(f"{text!r} is no NAME=VALUE")


def _check_object(_hint: object, text: str | None) -> None:
    try:
        if isinstance(json_.loads(text or "{}"), dict):
            return
    except ValueError:
        pass
    raise ValueError('it is no JSON object, such as \'{"case_id": "c1"}\'')


async def run(
    deployment: str,
    *,
    param: Annotated[tuple[str, ...], Parameter(negative=(), validator=_check_param)] = (),
    params_json: Annotated[str | None, Parameter(validator=_check_object)] = None,
    idempotency_key: str | None = None,
    wait: Annotated[bool, Parameter(negative=())] = False,
    timeout_s: Timeout = None,
    json: AsJson = False,
) -> int:
    """Start a run of a deployment; with `--wait` the exit code says what was decided.

    With --wait: 0 accepted or approved, 1 failed, 3 rejected or decided by the policy alone, 4 still waiting.
    Progress goes to stderr. Without --wait the id of the run is printed, for `hitl wait`.

    Args:
        deployment: FLOW/DEPLOYMENT, or its id.
        param: A parameter as NAME=VALUE; repeat it. Where the flow takes text it is given as it stands, else as JSON.
        params_json: Several parameters, as one JSON object.
        idempotency_key: Names what is asked for, such as a commit: asked for again, it is the same run.
        wait: Wait until it is decided.
        timeout_s: Seconds to wait. Default: as long as it takes.
        json: Print JSON.
    """
    try:
        started = await astart_run(
            deployment,
            parameters=json_.loads(params_json or "{}"),
            typed=dict(text.split("=", 1) for text in param),
            idempotency_key=idempotency_key,
        )
    except ConfigError as exc:
        say_aside(f"hitl: {exc}")
        return 2
    say_aside(f"{visible(started.name)}: {started.url}")
    return await _until_decided(started.run_id, timeout_s, json=json) if wait else _tell_started(started, json=json)


async def wait(run: str, *, timeout_s: Timeout = None, json: AsJson = False) -> int:
    """Wait until a flow run has ended; the exit code says what was decided, as of `hitl run --wait`.

    Args:
        run: Id or name of the flow run, or the case that it is about.
        timeout_s: Seconds to wait. Default: as long as it takes.
        json: Print JSON.
    """
    return await _until_decided(await afind(run), timeout_s, json=json)


def _tell_started(started: Started, *, json: bool) -> int:
    if json:
        print_json(started)
    else:
        say(str(started.run_id))
    return 0


async def _until_decided(run_id: UUID, timeout_s: float | None, *, json: bool) -> int:
    try:
        ending = await await_ending(run_id, timeout_s=timeout_s, tell=say_aside)
    except asyncio.CancelledError:
        say_aside(f"\nThe run goes on without us; wait on: hitl wait {run_id}")
        return _CTRL_C
    if not ending.is_final:
        say_aside(f"still waiting after {timeout_s:g} s; wait on: hitl wait {run_id}")
    if json:
        print_json(ending)
    else:
        _tell(ending)
    return ending.code


def _tell(ending: Ending) -> None:
    for batch in ending.batches:
        say(batch.markdown())
    if ending.decided:
        say(table([_row(one.model_dump()) for one in ending.decided]))


def _row(decided: dict[str, Any]) -> dict[str, object]:
    answer = json_.dumps(decided["final_answer"], ensure_ascii=False)
    told = {name: decided[name] for name in ("case", "decision", "decided_by")}
    return {**told, "final_answer": visible(answer)}
