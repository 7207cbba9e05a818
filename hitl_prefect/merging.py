"""What several people said about one draft, made one answer: field by field, by majority."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.fields import differences
from hitl_prefect.outcomes import Dissent, Settlement, Verdict

__all__ = ["merge", "proposal", "settled_by"]

_ABSENT: Any = object()
"""No such field. It is the same word as `null`: nothing stands there."""
_NONE_LEFT: Any = object()
"""Nothing to fall back on where there is no majority."""


class _TiedError(Exception):
    """No value has more than half of the votes."""


def merge(verdicts: Sequence[Verdict], draft: JsonValue, is_valid: Callable[[JsonValue], bool]) -> Settlement | None:
    """What more than half of them want.

    Whether anything ships is decided first, then each field of what ships, among those who want it to ship. Fields of
    nested objects count one by one. A list counts as a whole, also where all lists are equally long: the second line of
    one person's list need not be the second line of another's.

    Args:
        verdicts: `approve`, `edit` or `reject` each, at least one; their order does not matter.
        draft: What `approve` approves.
        is_valid: Whether the answer type accepts an answer: fields of several people may not fit together.

    Returns:
        The settlement with whoever dissented; `None` where there is no majority, or what it wants is not valid.
    """
    ships = [one for one in verdicts if one.decision != "reject"]
    if 2 * len(ships) == len(verdicts):
        return None
    if 2 * len(ships) < len(verdicts):
        return settled_by(next(one for one in verdicts if one.decision == "reject"), verdicts)
    try:
        answer = _agreed([one.answer for one in ships], len(ships), _NONE_LEFT)
    except _TiedError:
        return None
    if not is_valid(answer):
        return None
    decision = "approve" if canonical_bytes(answer) == canonical_bytes(draft) else "edit"
    return settled_by(verdicts[-1].model_copy(update={"decision": decision, "answer": answer}), verdicts)


def proposal(verdicts: Sequence[Verdict], draft: JsonValue, is_valid: Callable[[JsonValue], bool]) -> JsonValue:
    """What a tie-breaker's form is filled with: field by field what more than half of all want, else the draft's.

    Where that does not fit together as one answer it is the draft.
    """
    votes = [one.answer for one in verdicts if one.decision != "reject"]
    answer = _agreed(votes, len(verdicts), draft) if votes else draft
    return answer if answer is not _ABSENT and is_valid(answer) else draft


def settled_by(last: Verdict, verdicts: Sequence[Verdict]) -> Settlement:
    """The settlement that one verdict makes, with what all others wanted instead."""
    alone = len(verdicts) == 1 or last.role == "escalated" or last.decision == "retry"
    return Settlement(
        decision=last.decision,
        answer=last.answer,
        guidance=last.guidance if last.decision == "retry" else "",
        decided_by="human" if alone else "quorum",
        decided_at=max(one.decided_at for one in (*verdicts, last)),
        dissent=tuple(_dissent(last, verdicts)),
    )


def _agreed(votes: list[Any], voters: int, otherwise: Any) -> Any:
    """What more than half of the voters want, field by field; where they do not, `otherwise`."""
    if all(isinstance(vote, dict) for vote in votes):
        names = sorted({name for vote in votes for name in vote})
        fields = {
            name: _agreed([vote.get(name, _ABSENT) for vote in votes], voters, _under(otherwise, name))
            for name in names
        }
        return {name: value for name, value in fields.items() if value is not _ABSENT}
    counts: defaultdict[bytes, list[Any]] = defaultdict(list)
    for vote in votes:
        counts[canonical_bytes(None if vote is _ABSENT else vote)].append(vote)
    largest = max(counts.values(), key=len)
    if 2 * len(largest) > voters:
        return next((vote for vote in largest if vote is not _ABSENT), _ABSENT)
    if otherwise is _NONE_LEFT:
        raise _TiedError
    return otherwise


def _under(otherwise: Any, name: str) -> Any:
    if otherwise is _NONE_LEFT:
        return _NONE_LEFT
    return otherwise.get(name, _ABSENT) if isinstance(otherwise, dict) else _ABSENT


def _dissent(last: Verdict, verdicts: Sequence[Verdict]) -> Iterator[Dissent]:
    """Each other word about a field once, with all who said it."""
    said: defaultdict[tuple[str, bytes], list[tuple[str, JsonValue]]] = defaultdict(list)
    for one in verdicts:
        if one.decision in ("escalate", "retry"):
            continue
        for other in differences(last.answer, one.answer):
            said[other.path, canonical_bytes(other.after)].append((one.reviewer, other.after))
    for (path, _), votes in sorted(said.items()):
        yield Dissent(field=path, value=votes[0][1], reviewers=tuple(reviewer for reviewer, _ in votes))
