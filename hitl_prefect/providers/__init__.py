"""Providers: who answers. `provider_for("openai:gpt-5-mini")` builds one; no SDK is loaded before that."""

import os
from collections.abc import Callable

from hitl_prefect.collecting import uncollected
from hitl_prefect.errors import ConfigError
from hitl_prefect.protocols import Provider
from hitl_prefect.provider_keys import SECOND_MODELS, key_of

__all__ = ["provider_for", "second_to"]


def provider_for(model: str) -> Provider:
    """The provider that `provider:name` means.

    Args:
        model: `openai:…`, `anthropic:…`, `embedded:support`, `embedded:<task>@<store URL>` (trained with
            `hitl train`), or `scripted:…` (a registered name or the path of a `.json` file).

    Raises:
        ConfigError: If no such provider or model is known, or its key is missing.
        MissingExtra: If the provider needs a package that is not installed.

    >>> provider_for("openrouter:llama")
    Traceback (most recent call last):
    ...
    hitl_prefect.errors.ConfigError: model='openrouter:llama' names no known provider; write \
'openai:…', 'anthropic:…', 'embedded:…' or 'scripted:…' (a server that speaks OpenAI's protocol: set OPENAI_BASE_URL)
    """
    provider, _, name = model.partition(":")
    if provider not in _BUILDERS:
        raise ConfigError(
            f"model={model!r} names no known provider; write {_known()} "
            "(a server that speaks OpenAI's protocol: set OPENAI_BASE_URL)"
        )
    if not name:
        raise ConfigError(f"model={model!r} names no model; write '{provider}:' and the model's name")
    return _BUILDERS[provider](name)


def second_to(provider: str, wished: str | None = "auto") -> str | None:
    """The second model beside a drafting provider.

    Args:
        provider: The name of the provider that drafts.
        wished: A model, or `None` for none; `auto` is a small model of the other provider, where its key is in the
            environment.
    """
    if wished != "auto":
        return wished
    model = SECOND_MODELS.get(provider, "")
    variable = key_of(model)
    return model if variable and os.environ.get(variable, "").strip() else None


def _known() -> str:
    *first, last = (f"'{provider}:…'" for provider in _BUILDERS)
    return f"{', '.join(first)} or {last}"


def _openai(name: str) -> Provider:
    with uncollected():
        from hitl_prefect.providers.openai import OpenAIProvider

    return OpenAIProvider(name)


def _anthropic(name: str) -> Provider:
    with uncollected():
        from hitl_prefect.providers.anthropic import AnthropicProvider

    return AnthropicProvider(name)


def _embedded(name: str) -> Provider:
    if "@" in name:
        from hitl_prefect.providers.trained import TrainedProvider, split_name
        from hitl_prefect.stores import store_for

        task, version, store = split_name(name)
        return TrainedProvider(store_for(store), task, version)
    from hitl_prefect.providers.embedded import EmbeddedProvider

    return EmbeddedProvider(name)


def _scripted(name: str) -> Provider:
    from hitl_prefect.providers.scripted import find

    return find(name)


_BUILDERS: dict[str, Callable[[str], Provider]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "embedded": _embedded,
    "scripted": _scripted,
}
