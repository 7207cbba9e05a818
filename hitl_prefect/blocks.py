"""Block classes: models, stores and policies, saved once on the Prefect server and named in flows.

Importing this module loads no SDK; keys are `SecretStr` and leave the block only inside an SDK's client.
"""

from typing import TYPE_CHECKING, Any, Literal

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from hitl_prefect.policy import Policy

if TYPE_CHECKING:
    from hitl_prefect.protocols import Provider, Store

__all__ = ["AnthropicModel", "FolderStoreBlock", "OpenAIModel", "ReviewPolicy", "S3StoreBlock"]


class OpenAIModel(Block):
    """A model behind OpenAI's API or any server that speaks it.

    Example:
        `OpenAIModel(model="gpt-5-mini", api_key="...").save("triage")`, then `model="triage"` in a flow.
    """

    _block_type_name = "HITL OpenAI Model"
    _block_type_slug = "hitl-openai-model"
    _description = "A model that drafts answers, behind OpenAI's API or any compatible server."

    model: str = Field(description="The model's name, such as gpt-5-mini.")
    api_key: SecretStr | None = Field(default=None, description="Empty: OPENAI_API_KEY of the worker.")
    base_url: str | None = Field(default=None, description="Another server that speaks the same protocol.")
    timeout_s: float = Field(default=120, gt=0, description="Seconds until a call is given up.")
    max_tokens: int | None = Field(
        default=None,
        gt=0,
        description="The most that a reply may take, reasoning included. Empty: what the model gives.",
    )
    api: Literal["auto", "chat", "responses"] = Field(
        default="auto",
        description="Chat Completions or Responses; auto: what the model is made for, and Chat Completions elsewhere.",
    )

    def get_provider(self) -> "Provider":
        """The provider that this block describes."""
        from hitl_prefect.providers.openai import OpenAIProvider

        return OpenAIProvider(
            self.model,
            api_key=self.api_key,
            base_url=self.base_url,
            timeout_s=self.timeout_s,
            max_tokens=self.max_tokens,
            api=self.api,
        )


class AnthropicModel(Block):
    """A model behind Anthropic's API.

    Example:
        `AnthropicModel(model="claude-haiku-4-5", api_key="...").save("careful")`, then `model="careful"` in a flow.
    """

    _block_type_name = "HITL Anthropic Model"
    _block_type_slug = "hitl-anthropic-model"
    _description = "A model that drafts answers, behind Anthropic's API."

    model: str = Field(description="The model's name, such as claude-haiku-4-5.")
    api_key: SecretStr | None = Field(default=None, description="Empty: ANTHROPIC_API_KEY of the worker.")
    base_url: str | None = Field(default=None, description="Another server that speaks the same protocol.")
    timeout_s: float = Field(default=120, gt=0, description="Seconds until a call is given up.")
    max_tokens: int | None = Field(
        default=None,
        gt=0,
        description="The most that a reply may take, reasoning included. Empty: what the model gives.",
    )

    def get_provider(self) -> "Provider":
        """The provider that this block describes."""
        from hitl_prefect.providers.anthropic import AnthropicProvider

        return AnthropicProvider(
            self.model,
            api_key=self.api_key,
            base_url=self.base_url,
            timeout_s=self.timeout_s,
            max_tokens=self.max_tokens,
        )


class S3StoreBlock(Block):
    """A bucket of any S3-compatible server.

    Example:
        `S3StoreBlock(bucket="outcomes", endpoint_url="https://s3.example.com").save("s3")`, then `store="s3"`.
    """

    _block_type_name = "HITL S3 Store"
    _block_type_slug = "hitl-s3-store"
    _description = "Where outcomes are kept: a bucket of any S3-compatible server."

    bucket: str
    prefix: str = Field(default="", description="Folder inside the bucket.")
    endpoint_url: str | None = Field(default=None, description="Empty: Amazon's own.")
    region: str = "us-east-1"
    aws_access_key_id: str | None = Field(default=None, description="Empty: boto3's own search.")
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    ca_bundle: str | None = Field(default=None, description="Path of a private certificate authority, as PEM.")
    lock_days: int | None = Field(
        default=None, gt=0, description="Days for which object lock holds each outcome; the bucket must have it."
    )
    lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = Field(
        default="GOVERNANCE", description="Whether some may delete earlier, or nobody."
    )
    versioned: bool = Field(default=False, description="Refuse a bucket that keeps no versions.")
    config: dict[str, Any] = Field(default_factory=dict, description="botocore Config keys that override ours.")

    def get_store(self) -> "Store":
        """The store that this block describes."""
        from hitl_prefect.stores.s3 import S3Store

        return S3Store(
            self.bucket,
            prefix=self.prefix,
            endpoint_url=self.endpoint_url,
            region=self.region,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            verify=self.ca_bundle or True,
            lock_days=self.lock_days,
            lock_mode=self.lock_mode,
            versioned=self.versioned,
            config=self.config,
        )


class FolderStoreBlock(Block):
    """A folder, for one machine.

    Example:
        `FolderStoreBlock(path="outcomes").save("here")`, then `store="here"`.
    """

    _block_type_name = "HITL Folder Store"
    _block_type_slug = "hitl-folder-store"
    _description = "Where outcomes are kept: a folder of the worker's machine."

    path: str

    def get_store(self) -> "Store":
        """The store that this block describes."""
        from hitl_prefect.stores.folder import FolderStore

        return FolderStore(self.path)


class ReviewPolicy(Block):
    """A policy that flows share.

    Example:
        `ReviewPolicy(policy=Policy(min_confidence=0.9)).save("careful")`, then `policy="careful"`.
    """

    _block_type_name = "HITL Review Policy"
    _block_type_slug = "hitl-review-policy"
    _description = "How a task is routed and reviewed."

    policy: Policy
