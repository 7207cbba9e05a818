"""The text of a draft while it is being written, as an artifact of the flow run."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.logging import get_run_logger

from hitl_prefect.inert import cut, fence
from hitl_prefect.models import Case
from hitl_prefect.run_artifacts import RunArtifact

__all__ = ["LiveText"]

_EVERY_S = 1.0


class LiveText:
    """Called with the text so far; shows it in the run's Artifacts tab about once a second.

    When the block ends well the whole text stands there; when it does not, no half text is left. What the model wrote
    is shown as inert text. That it cannot be shown is logged, and stops nothing.

    Args:
        client: An open Prefect client.
        flow_run_id: The flow run whose artifact it is.
        case: What is being answered.
    """

    def __init__(self, client: PrefectClient, flow_run_id: UUID, case: Case) -> None:
        self._title = f"Draft for {case.task}, case {case.id}"
        self._artifact = RunArtifact(client, flow_run_id, self._title)
        self._text, self._shown = "", ""
        self._refresher: asyncio.Task[None] | None = None

    def __call__(self, text: str) -> None:
        """Take the text so far."""
        self._text = text

    async def __aenter__(self) -> Self:
        self._refresher = asyncio.create_task(self._refresh())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._refresher is not None:
            self._refresher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refresher
        await self._show("was broken off; no part of it is kept" if kind else "is whole", "" if kind else self._text)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            if self._text != self._shown:
                await self._show("is being written", self._text)

    async def _show(self, state: str, text: str) -> None:
        self._shown = text
        body = f"{self._title} {state}.\n\n{fence(cut(text))}" if text else f"{self._title} {state}."
        try:
            await self._artifact.write(body)
        except httpx.HTTPError as exc:
            get_run_logger().warning("%s cannot be shown while it is written: %s", self._title, type(exc).__name__)
