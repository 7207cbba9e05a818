"""Who is asked, how many, and whether they could be: the part of a policy that is about people."""

import unicodedata
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Confidence
from hitl_prefect.signing import check_public_key

__all__ = ["People", "Probes", "SecondOpinion", "among", "check_people", "known_as", "same_person"]


class SecondOpinion(Frozen):
    """When a second person is asked, without seeing what the first said; any of the three is enough."""

    overrode_at: Confidence | None = 0.8
    """The first edited or rejected a draft of at least this confidence. `None`: that is no reason."""
    error_cost_at: float | None = Field(default=None, gt=0)
    """A wrong answer costs at least this much, by `Policy.error_cost`. `None`: that is no reason."""
    words_per_minute: float | None = Field(default=600, gt=0)
    """The first answered faster than prompt and draft can be read at this speed, or in bulk. `None`: that is no reason.

    Source: silent reading takes 238 words per minute on average, and hardly anybody reads above 400 (Brysbaert 2019,
    Journal of Memory and Language 109)."""

    @model_validator(mode="after")
    def _has_a_reason(self) -> Self:
        if self.overrode_at is None and self.error_cost_at is None and self.words_per_minute is None:
            raise ValueError("second_opinion has no reason left to be asked: set one, or second_opinion=None")
        return self


class Probes(Frozen):
    """Shares of reviews that begin with a measurement of the reviewing itself; each in [0, 1], their sum too.

    Which reviews these are follows from the case's id, so a case that is run again is measured again in the same way.
    """

    blind: float = Field(default=0, ge=0, le=1)
    """Share in which somebody first answers without seeing any draft."""
    seeded: float = Field(default=0, ge=0, le=1)
    """Share in which somebody first gets a draft that was made wrong on purpose."""

    @model_validator(mode="after")
    def _are_shares(self) -> Self:
        if self.blind + self.seeded > 1:
            raise ValueError("probes: blind and seeded are shares of the same reviews, together at most 1")
        return self


class People(Frozen):
    """Who is asked about a draft, until when, and what nobody coming means."""

    deadline_s: int = Field(default=72 * 3600, gt=0)
    """Seconds that a review may wait before `on_deadline` applies."""
    on_deadline: Literal["hold", "reject", "escalate", "fallback"] = "hold"
    """What nobody coming means: go on waiting, reject, ask `escalate_to` (and then hold), or take `fallback`. Never
    accept."""
    fallback: JsonValue = None
    """The answer that `on_deadline='fallback'` takes, as JSON data valid for the answer type."""
    remind_after_s: tuple[int, ...] = ()
    """Seconds after which those who are asked are reminded, once each."""
    reviewers: tuple[str, ...] = ()
    """Who may answer. Empty: anybody who reaches the form, under the name that they type."""
    widen_after_s: int | None = Field(default=None, gt=0)
    """Seconds after which `widen_to` is asked as well; before the deadline."""
    widen_to: tuple[str, ...] = ()
    """The second group: who is asked as well once `widen_after_s` have passed, or when nobody of `reviewers`
    is left who may answer."""
    escalate_to: tuple[str, ...] = ()
    """Who is asked on `escalate`, and then decides alone; whoever handed it over does not. Empty: the form does not
    offer it."""
    quorum: int = Field(default=1, ge=1, le=9)
    """How many different people must answer before anything ships; none sees what another said before all have. What
    more than half of them say about a field counts; what has no majority goes to a tie-breaker. `retry` and `escalate`
    of one of them act at once, and ship nothing."""
    tie_breakers: tuple[str, ...] = ()
    """Who decides where several people do not agree, with all that was said in view. Empty, or all of them have
    answered already: one more reviewer."""
    second_opinion: SecondOpinion | None = None
    """When one answer is not enough although `quorum` is 1."""
    requester_may_review: bool = False
    """Whether who asked for a case (`resolve_case(requester=...)`) may answer it too."""
    require_signature: bool = False
    """Whether a verdict counts only with a signature by its reviewer's own key, which `hitl answer` gives."""
    reviewer_keys: dict[str, str] = Field(default_factory=dict)
    """Reviewer to public key, as `hitl keys` prints it: `ed25519:...`."""
    probes: Probes = Probes()
    """The share of reviews that measure the reviewing itself; what is said in them never ships."""
    message_holds: tuple[Literal["prompt", "draft"], ...] = ()
    """What notifications hold beside task, reason and link. Empty: neither prompt nor draft leaves Prefect."""

    @model_validator(mode="after")
    def _can_be_honoured(self) -> Self:
        if self.on_deadline == "escalate" and not self.escalate_to:
            raise ValueError("on_deadline='escalate' needs escalate_to: name who is asked")
        if self.on_deadline == "fallback" and self.fallback is None:
            raise ValueError("on_deadline='fallback' needs fallback: give the answer to take")
        check_people(self)
        return self


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: case, spaces and characters that draw nothing do not make another.

    >>> same_person("Ada  Lovelace", " ada lovelace ")
    True
    """
    return known_as(one) == known_as(other)


def among(name: str, names: Iterable[str]) -> bool:
    """Whether one of the names is this person's."""
    return any(same_person(name, other) for other in names)


def known_as(name: str) -> str:
    """The one spelling by which a person is known, for keys; people are shown the name that was typed."""
    drawn = (character for character in unicodedata.normalize("NFKC", name) if unicodedata.category(character) != "Cf")
    return " ".join("".join(drawn).casefold().split())


def check_people(policy: People, requester: str | None = None) -> None:
    """Refuse a policy that asks for more people than there are, or for what nobody would ever be asked.

    Args:
        policy: The policy.
        requester: Who may not answer, where that is known.

    Raises:
        ValueError: Naming the field and what to change.
    """
    _check_names(policy)
    _check_widening(policy)
    _check_unused(policy)
    _check_enough(policy, requester)
    _check_decider(policy, requester)
    _check_keys(policy)


def _check_names(policy: People) -> None:
    for field in ("reviewers", "widen_to", "escalate_to", "tie_breakers"):
        if any(not known_as(name) for name in getattr(policy, field)):
            raise ValueError(f"{field} holds a blank name, which nobody could answer under: take it out")


def _check_widening(policy: People) -> None:
    if (policy.widen_after_s is None) is not (not policy.widen_to):
        raise ValueError("widen_after_s and widen_to need each other: after how long is who asked as well?")
    if policy.widen_to and not policy.reviewers:
        raise ValueError("widen_to needs reviewers: without a list anybody may answer already")
    acts = policy.on_deadline != "hold"
    if acts and policy.widen_after_s is not None and policy.widen_after_s >= policy.deadline_s:
        raise ValueError("widen_after_s must be before deadline_s: afterwards nobody is asked any more")


def _check_unused(policy: People) -> None:
    if policy.second_opinion and policy.quorum > 1:
        raise ValueError(f"second_opinion is for quorum=1: quorum={policy.quorum} asks more than one person anyway")
    if policy.tie_breakers and policy.quorum == 1 and not policy.second_opinion:
        raise ValueError("tie_breakers decide where several people disagree: set quorum or second_opinion as well")


def _check_enough(policy: People, requester: str | None) -> None:
    if not policy.reviewers:
        return
    able = _people_of((*policy.reviewers, *policy.widen_to), requester)
    asked = max(policy.quorum, 2 if policy.second_opinion else 1)
    if len(able) < asked:
        groups = "reviewers and widen_to name" if policy.widen_to else "reviewers names"
        named = f"{groups} {len(able)}{_without(requester)}"
        raise ValueError(f"{asked} different people must answer, and {named}: name more, or ask fewer")
    fresh = _people_of(policy.tie_breakers, requester) - able
    if asked > 1 and len(able) == asked and not fresh:
        disagree = f"where {asked} reviewers disagree{_without(requester)}"
        raise ValueError(f"nobody is left to decide {disagree}: name tie_breakers, or more reviewers")


def _check_decider(policy: People, requester: str | None) -> None:
    if policy.escalate_to and not _people_of(policy.escalate_to, requester):
        raise ValueError(f"escalate_to names nobody but {requester!r}, who asked for the case: name somebody else")


def _people_of(names: Iterable[str], requester: str | None) -> set[str]:
    """Each person once, and without who asked for the case."""
    return {known_as(name) for name in names} - {known_as(requester or "")}


def _without(requester: str | None) -> str:
    return f" without {requester!r}, who asked for the case" if requester else ""


def _check_keys(policy: People) -> None:
    _check_each_key(policy.reviewer_keys)
    if not policy.require_signature:
        return
    named = {*policy.reviewers, *policy.widen_to, *policy.escalate_to, *policy.tie_breakers}
    if not policy.reviewers:
        raise ValueError("require_signature needs reviewers: only a listed person's key says who signed")
    if missing := sorted(named - policy.reviewer_keys.keys()):
        raise ValueError(f"require_signature needs a key of {missing} in reviewer_keys: `hitl keys make` prints one")


def _check_each_key(keys: dict[str, str]) -> None:
    owners: dict[str, str] = {}
    for name, key in keys.items():
        try:
            check_public_key(key)
        except ValueError as exc:
            raise ValueError(f"reviewer_keys[{name!r}]: {exc}") from None
        other = owners.setdefault(key, name)
        if other != name:
            raise ValueError(f"reviewer_keys: {other!r} and {name!r} have the same key, so either could sign for both")
