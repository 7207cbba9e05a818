"""What several people said about one draft, made one answer: field by field, by majority."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.fields import differences
from hitl_prefect.outcomes import Dissent, Settlement, Verdict

__all__ = ["merge", "settled_by"]

_ABSENT: Any = object()


class _TiedError(Exception):
    """No value has more than half of the votes."""


def merge(verdicts: Sequence[Verdict], draft: JsonValue, is_valid: Callable[[JsonValue], bool]) -> Settlement | None:
    """What more than half of them want.

    Whether anything ships is decided first, then each field of what ships, among those who want it to ship. Lists are
    compared as a whole.

    Args:
        verdicts: `approve`, `edit` or `reject` each, at least one.
        draft: What `approve` approves.
        is_valid: Whether the answer type accepts an answer: fields of several people may not fit together.

    Returns:
        The settlement with whoever dissented; `None` where there is no majority.
    """
    ships = [one for one in verdicts if one.decision != "reject"]
    if 2 * len(ships) == len(verdicts):
        return None
    if 2 * len(ships) < len(verdicts):
        return settled_by(next(one for one in verdicts if one.decision == "reject"), verdicts)
    try:
        answer = _agreed([one.answer for one in ships])
    except _TiedError:
        return None
    if not is_valid(answer):
        return None
    decision = "approve" if canonical_bytes(answer) == canonical_bytes(draft) else "edit"
    return settled_by(verdicts[-1].model_copy(update={"decision": decision, "answer": answer}), verdicts)


def settled_by(last: Verdict, verdicts: Sequence[Verdict]) -> Settlement:
    """The settlement that one verdict makes, with what all others wanted instead."""
    return Settlement(
        decision=last.decision,
        answer=last.answer,
        guidance=last.guidance,
        decided_by="quorum" if len(verdicts) > 1 and last.role != "escalated" else "human",
        decided_at=max(one.decided_at for one in (*verdicts, last)),
        dissent=tuple(_dissent(last, verdicts)),
    )


def _agreed(votes: list[Any]) -> Any:
    if all(isinstance(vote, dict) for vote in votes):
        names = sorted({name for vote in votes for name in vote})
        fields = {name: _agreed([vote.get(name, _ABSENT) for vote in votes]) for name in names}
        return {name: value for name, value in fields.items() if value is not _ABSENT}
    counts: defaultdict[bytes | None, list[Any]] = defaultdict(list)
    for vote in votes:
        counts[None if vote is _ABSENT else canonical_bytes(vote)].append(vote)
    largest = max(counts.values(), key=len)
    if 2 * len(largest) <= len(votes):
        raise _TiedError
    return largest[0]


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
