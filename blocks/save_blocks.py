"""Save the blocks that the flows name; safe to run twice."""

import os
from argparse import ArgumentParser

from prefect.blocks.core import Block
from prefect.exceptions import ObjectAlreadyExists

from hitl_prefect import Policy
from hitl_prefect.blocks import AnthropicModel, FolderStoreBlock, OpenAIModel, ReviewPolicy, S3StoreBlock


def save_blocks(*, overwrite: bool = False) -> list[str]:
    """Save what the environment has keys for; says of each block, as `type/name`, what became of it.

    Args:
        overwrite: Also what is saved already, from the environment: what was changed in it since is lost.
    """
    store = _store()
    blocks: dict[str, Block] = {"outcomes": store, "careful": ReviewPolicy(policy=Policy(min_confidence=0.9))}
    if isinstance(store, S3StoreBlock):
        blocks["s3"] = store
    if key := os.environ.get("OPENAI_API_KEY"):
        blocks["openai"] = OpenAIModel(model="gpt-5-mini", api_key=key)
    if key := os.environ.get("ANTHROPIC_API_KEY"):
        blocks["anthropic"] = AnthropicModel(model="claude-haiku-4-5", api_key=key)
    return [_save(block, name, overwrite=overwrite) for name, block in blocks.items()]


def _save(block: Block, name: str, *, overwrite: bool) -> str:
    said = f"{block.get_block_type_slug()}/{name}"
    try:
        block.save(name, overwrite=overwrite)
    except ValueError as exc:
        if not isinstance(exc.__cause__, ObjectAlreadyExists):
            raise
        return f"{said} is saved already and stays as it is; --overwrite writes it anew"
    return said


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
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--overwrite", action="store_true", help="also what is saved already: changes to it are lost")
    for said in save_blocks(overwrite=parser.parse_args().overwrite):
        print(said)  # noqa: T201 - a script tells what it did
