"""States of a flow run, proposed to the server: whoever comes second is told so, and leaves the run alone."""

from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.exceptions import Abort, ObjectNotFound, Pause, PrefectHTTPStatusError
from prefect.states import Cancelled
from prefect.utilities.engine import propose_state

__all__ = ["AWAY", "end", "enter", "is_away", "is_gone"]


AWAY = (PrefectHTTPStatusError, httpx.TransportError)
"""What a request may raise where the Prefect server is away; `is_away` tells a refusal from it."""


def is_away(exc: BaseException) -> bool:
    """Whether an error says that the Prefect server cannot be reached, or cannot answer now."""
    if isinstance(exc, PrefectHTTPStatusError):
        return exc.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(exc, httpx.TransportError)


def is_gone(exc: BaseException) -> bool:
    """Whether an error says that the server knows no such run, as of one that was deleted meanwhile."""
    if isinstance(exc, PrefectHTTPStatusError):
        return exc.response.status_code == httpx.codes.NOT_FOUND
    return isinstance(exc, ObjectNotFound)


async def enter(client: PrefectClient, flow_run: FlowRun, state: State) -> bool:
    """Whether the server took a state from us; one with another message was set by another worker.

    Raises:
        httpx.TransportError, PrefectHTTPStatusError: If the server is away.
    """
    try:
        now = await propose_state(client, state, flow_run_id=flow_run.id)
    except (Abort, Pause, ObjectNotFound):
        return False
    _keep(flow_run, now)
    return now.type == state.type and now.message == state.message


async def end(client: PrefectClient, flow_run: FlowRun, state: State, facts: dict[str, str]) -> State | None:
    """Put a run into its last state, or into Cancelled where somebody wants it cancelled.

    Args:
        client: An open client.
        flow_run: A run that is ours.
        state: How it ended.
        facts: Stand in the state as its data. There must be some: a run that is completed with no data at all may be
            claimed again, by a worker that listed it before.

    Returns:
        The state that it is in; `None` where the server lets nobody end it.

    Raises:
        httpx.TransportError, PrefectHTTPStatusError: If the server is away.
    """
    now = await _set(client, flow_run.id, state, facts)
    if now is not None and now.is_cancelling():
        now = await _set(client, flow_run.id, Cancelled(), facts)
    if now is not None:
        _keep(flow_run, now)
    return now


async def _set(client: PrefectClient, run_id: UUID, state: State, facts: dict[str, str]) -> State | None:
    # Prefect's own method leaves out what is no stored result. The id lets the server know the same request again,
    # where its answer was lost.
    wanted = {
        "type": state.type,
        "name": state.name,
        "message": state.message,
        "data": facts,
        "state_details": {"transition_id": str(uuid4())},
    }
    try:
        answer = await client.request(
            "POST", "/flow_runs/{id}/set_state", path_params={"id": run_id}, json={"state": wanted, "force": False}
        )
    except PrefectHTTPStatusError as exc:
        if not is_gone(exc):
            raise
        return None
    told: OrchestrationResult[None] = OrchestrationResult.model_validate(answer.json())
    return told.state if told.status in (SetStateStatus.ACCEPT, SetStateStatus.REJECT) else None


def _keep(flow_run: FlowRun, state: State) -> None:
    flow_run.state, flow_run.state_type, flow_run.state_name = state, state.type, state.name
