"""Which environment variable holds the key of which provider, and who gives a second opinion beside whom."""

__all__ = ["KEYS", "SECOND_MODELS", "key_of"]

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""By provider: the variable that its SDK reads too. Other providers need none."""

SECOND_MODELS = {"openai": "anthropic:claude-haiku-5-5", "anthropic": "openai:gpt-6-luna"}
"""By the provider that drafts: a small model of the other one, which makes other mistakes."""


def key_of(model: str) -> str | None:
    """The variable that holds the key for a model; `None` where it needs none.

    Args:
        model: `provider:name`.

    >>> [key_of(model) for model in ("openai:gpt-5-mini", "embedded:support")]
    ['OPENAI_API_KEY', None]
    """
    return KEYS.get(model.partition(":")[0])
