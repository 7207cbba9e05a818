"""An artifact of a flow run that is written anew in place, so that the page shows one and not a version each time."""

from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

__all__ = ["RunArtifact"]


class RunArtifact:
    """Markdown on the page of a flow run.

    Args:
        client: An open Prefect client.
        run_id: The flow run whose artifact it is.
        title: What it is called there.
        key: Under which it is listed among all artifacts; `None`: only on the page of its run.
    """

    def __init__(self, client: PrefectClient, run_id: UUID, title: str, *, key: str | None = None) -> None:
        self._client, self._run_id, self._title, self._key = client, run_id, title, key
        self._id: UUID | None = None

    async def write(self, body: str) -> None:
        """Write it, or write it anew.

        Raises:
            httpx.HTTPError: If the server refused it, or is away.
        """
        if self._id is not None:
            await self._client.update_artifact(self._id, ArtifactUpdate(data=body))
            return
        new = ArtifactCreate(
            key=self._key, type="markdown", description=self._title, data=body, flow_run_id=self._run_id
        )
        self._id = (await self._client.create_artifact(new)).id
