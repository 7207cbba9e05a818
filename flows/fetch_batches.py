"""Fetch the batches that have ended, and start a run for each case: it is scored and reviewed as any other."""

from prefect import flow, get_run_logger
from prefect.deployments import run_deployment

from hitl_prefect import ReadyCase, fetch_batches


@flow(name="fetch-batches")
def fetch_open_batches(store: str = "outcomes", deployment: str = "resolve-case/resolve-case") -> None:
    """Schedule it every quarter of an hour.

    Args:
        store: Where the batches were submitted from; the outcomes go there too.
        deployment: What is started for each case, once however often its batch is fetched.
    """
    logger = get_run_logger()

    def start(ready: ReadyCase) -> None:
        if ready.draft is None:
            logger.warning("%s/%s: %s; it is asked at once", ready.case.task, ready.case.id, ready.problem)
        case = {
            "prompt": "",
            "messages": [message.model_dump(mode="json") for message in ready.case.messages],
            "choices": ready.choices,
            "task": ready.case.task,
            "model": ready.model,
            "store": store,
            "case_id": ready.case.id,
            "metadata": ready.case.metadata,
            "requester": ready.case.requester,
            "draft": ready.draft and ready.draft.model_dump(mode="json"),
        }
        run_deployment(deployment, parameters=case, timeout=0, as_subflow=False, idempotency_key=ready.key)

    for one in fetch_batches(store=store, then=start):
        logger.info(
            "batch %s: %s, %d of %d requests answered %s",
            one.key[:12],
            one.status,
            one.drafts,
            one.requests,
            one.detail,
        )


if __name__ == "__main__":
    fetch_open_batches.serve(name="fetch-batches", interval=900)
