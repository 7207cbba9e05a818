"""From what a flow names to what it means: `provider:name`, a URL, or the name of a saved block."""

from typing import Any

from prefect.blocks.core import Block

from hitl_prefect.blocks import AnthropicModel, FolderStoreBlock, OpenAIModel, ReviewPolicy, S3StoreBlock
from hitl_prefect.errors import ConfigError
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Provider, Store
from hitl_prefect.providers import provider_for, second_to
from hitl_prefect.stores import store_for

__all__ = ["policy_of", "provider_of", "second_model", "store_of"]


async def provider_of(model: str) -> Provider:
    """The provider of `provider:name`, or of a saved model block.

    Raises:
        ConfigError: If there is neither.
    """
    if model.startswith("embedded:") and "@" in model:
        return await _trained(model.removeprefix("embedded:"))
    if ":" in model:
        return provider_for(model)
    block = await _load(model, (OpenAIModel, AnthropicModel))
    provider: Provider = block.get_provider()
    return provider


async def _trained(name: str) -> Provider:
    """A trained model, whose store may be a saved block."""
    from hitl_prefect.providers.trained import TrainedProvider, split_name

    task, version, store = split_name(name)
    return TrainedProvider(await store_of(store), task, version)


def second_model(policy: Policy, provider: str) -> str | None:
    """What `second` stands for beside a drafting provider; `None` where there is no second model."""
    return second_to(provider, policy.second_model)


async def store_of(store: str) -> Store:
    """The store of a `folder:` path or `s3://` URL, or of a saved store block.

    Raises:
        ConfigError: If there is neither.
    """
    if ":" in store:
        return store_for(store)
    block = await _load(store, (S3StoreBlock, FolderStoreBlock))
    found: Store = block.get_store()
    return found


async def policy_of(policy: Policy | str) -> Policy:
    """The policy itself, or that of a saved policy block.

    Raises:
        ConfigError: If no such block is saved.
    """
    if isinstance(policy, Policy):
        return policy
    block = await _load(policy, (ReviewPolicy,))
    found: Policy = block.policy
    return found


async def _load(name: str, kinds: tuple[type[Block], ...]) -> Any:
    """The block saved under `name` with one of the kinds; `slug/name` picks the kind."""
    slugs = [name.split("/")[0]] if "/" in name else [kind.get_block_type_slug() for kind in kinds]
    short = name.rpartition("/")[2]
    for slug in slugs:
        try:
            found = await Block.aload(f"{slug}/{short}")
        except ValueError:  # Prefect's word for "no such block document"
            continue
        if isinstance(found, kinds):  # whoever starts a run may have named any block that is saved
            return found
    wanted = " or ".join(kind.get_block_type_slug() for kind in kinds)
    raise ConfigError(
        f"no block {short!r} of type {wanted} is saved on this Prefect server; save one "
        "(`python blocks/save_blocks.py` shows how), or name the thing itself: 'openai:gpt-5-mini', 's3://bucket'"
    )
