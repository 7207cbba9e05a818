"""Save the blocks that the flows name; safe to run twice."""

import os

from hitl_prefect import Policy
from hitl_prefect.blocks import AnthropicModel, FolderStoreBlock, OpenAIModel, ReviewPolicy, S3StoreBlock


def save_blocks() -> list[str]:
    """Save what the environment has keys for; returns what was saved as `type/name`."""
    store = _store()
    blocks = {"outcomes": store, "careful": ReviewPolicy(policy=Policy(min_confidence=0.9))}
    if isinstance(store, S3StoreBlock):
        blocks["s3"] = store
    if key := os.environ.get("OPENAI_API_KEY"):
        blocks["openai"] = OpenAIModel(model="gpt-5-mini", api_key=key)
    if key := os.environ.get("ANTHROPIC_API_KEY"):
        blocks["anthropic"] = AnthropicModel(model="claude-haiku-4-5", api_key=key)
    for name, block in blocks.items():
        block.save(name, overwrite=True)
    return [f"{block.get_block_type_slug()}/{name}" for name, block in blocks.items()]


def _store() -> S3StoreBlock | FolderStoreBlock:
    """The bucket that HITL_BUCKET names, or a folder."""
    bucket = os.environ.get("HITL_BUCKET")
    if not bucket:
        return FolderStoreBlock(path=os.environ.get("HITL_FOLDER", "outcomes"))
    return S3StoreBlock(
        bucket=bucket,
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY"),
    )


if __name__ == "__main__":
    for saved in save_blocks():
        print(saved)  # noqa: T201 - a script tells what it did
