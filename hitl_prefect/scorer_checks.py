"""What a policy's scorers need, looked at before the model is asked: whom they ask, and whether those can tell."""

from collections.abc import Mapping

from hitl_prefect.answers import answer_type
from hitl_prefect.combining import Combination
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Case
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Decider, Provider
from hitl_prefect.provider_keys import SECOND_MODELS, key_of
from hitl_prefect.scorers import NEVER_GIVEN, SECOND, Agreement, Asking
from hitl_prefect.scorers.base import name_of

__all__ = ["check_agreement", "check_scorers", "models_asked"]


def models_asked(policy: Policy, second: str | None) -> tuple[str, ...]:
    """The models that the policy's scorers name, beside the one that drafts.

    Args:
        policy: Whose scorers are looked at.
        second: What `SECOND` stands for.
    """
    named = (model for one in policy.scorers if isinstance(one, Asking) for model in one.models)
    meant = (second if model == SECOND else model for model in named)
    return tuple(dict.fromkeys(model for model in meant if model is not None))


def check_scorers(
    policy: Policy, provider: str, *, second: str | None = None, asked: Mapping[str, Provider] | None = None
) -> None:
    """Refuse a policy that counts on what can never give a confidence, so that every case would go to review.

    A model of OpenAI may still give no token logprobs; then its cases go to review with the reason `no_score`.

    Args:
        policy: Whose scorers are looked at.
        provider: The name of the provider that drafts.
        second: What `SECOND` stands for; `None` where there is no second model.
        asked: The providers of `models_asked`, by those names.

    Raises:
        ConfigError: If a named scorer could only ever leave the score `None`, or two have the same name.
    """
    fitted = sorted(policy.combine.names) if isinstance(policy.combine, Combination) else ()
    missing = [name for name in (*policy.scorers, *fitted) if name in NEVER_GIVEN.get(provider, ())]
    if missing:
        where = "scorers" if missing[0] in policy.scorers else "combine"
        raise ConfigError(
            f"policy.{where} names {missing[0]!r}, which {provider} never gives, so every case would go to review; "
            "name another one, or leave scorers empty"
        )
    names = [name_of(one) for one in policy.scorers]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"policy.scorers names {twice[0]!r} twice; keep one, or give them different models")
    for scorer in policy.scorers:
        if isinstance(scorer, Asking):
            _check_second(scorer, policy, provider, second)
            _check_asked(scorer, provider, second, asked or {})


def _check_second(scorer: Asking, policy: Policy, provider: str, second: str | None) -> None:
    if SECOND not in scorer.models or second is not None:
        return
    key = key_of(SECOND_MODELS.get(provider, "")) if policy.second_model == "auto" else None
    raise ConfigError(
        f"policy.scorers names {scorer.name!r}, which asks a second model, and there is none: "
        f"set {f'{key}, or ' if key else ''}policy.second_model to 'provider:name'"
    )


def _check_asked(scorer: Asking, provider: str, second: str | None, asked: Mapping[str, Provider]) -> None:
    """Whether those whom the scorer asks can give what it needs."""
    for model in (second if model == SECOND else model for model in scorer.models):
        found = asked.get(model or "")
        name = provider if model is None else found.name if found else model.partition(":")[0]
        if scorer.needs_logprobs and "logprob" in NEVER_GIVEN.get(name, ()):
            raise ConfigError(
                f"policy.scorers names {scorer.name!r}, which needs token log probabilities, and {name} never gives "
                "them; give it a model of OpenAI, or use 'judge'"
            )
        if scorer.needs_decider and found is not None and not isinstance(found, Decider):
            raise ConfigError(
                f"policy.scorers names {scorer.name!r}, and {model} is no decider; "
                "name one, such as 'openai:gpt-6-luna'"
            )


def check_agreement(policy: Policy, case: Case) -> None:
    """Refuse an agreement over what a case does not have.

    Raises:
        ConfigError: If it names a field that the answer type lacks, or asks variants of a case without any.
    """
    known = answer_type(case.answer).json_schema.get("properties", {"answer": {}})
    for scorer in policy.scorers:
        if not isinstance(scorer, Agreement):
            continue
        if strange := sorted(set(scorer.fields) - known.keys()):
            raise ConfigError(
                f"policy.scorers: {scorer.name!r} counts {strange[0]!r}, and the answer has {sorted(known)}"
            )
        if scorer.variants and not case.variants:
            raise ConfigError(
                f"policy.scorers: {scorer.name!r} asks the case's variants, and there are none: pass some"
            )
