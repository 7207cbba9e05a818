"""Earlier cases shown to a model before the case itself, and how to take them out of a prompt again.

The examples stand between the author's own system messages and the one turn of the user, behind a system message that
names their set. So a prompt with examples is another prompt to whatever tells prompts by their system messages.
"""

import re
from collections.abc import Sequence

from hitl_prefect.canonical import sha256_of
from hitl_prefect.messages import Message

__all__ = ["can_show_examples", "question_sha256", "show_examples", "without_examples"]

_LINE = "The turns before the last one are earlier cases, answered as people decided. (Examples: set {number}.)"
_MARK = re.compile(re.escape(_LINE).replace(r"\{number\}", r"\d+"))


def can_show_examples(messages: Sequence[Message]) -> bool:
    """Whether examples have a place: one turn of the user, and before it nothing but system messages."""
    *before, last = messages or (Message(role="system", content=""),)
    return last.role == "user" and all(one.role == "system" for one in before)


def show_examples(
    messages: Sequence[Message], examples: Sequence[tuple[str, str]], *, number: int
) -> tuple[Message, ...]:
    """The conversation with examples before the case itself; unchanged where they have no place.

    Args:
        messages: The prompt without examples.
        examples: What was asked and what people want to be answered, in the order in which they are shown.
        number: Names the set that they are of.

    >>> [one.role for one in show_examples((Message(role="user", content="2+2?"),), [("1+1?", "2")], number=1)]
    ['system', 'user', 'assistant', 'user']
    """
    if not can_show_examples(messages):
        return tuple(messages)
    *systems, case = messages
    mark = Message(role="system", content=_LINE.format(number=number))
    turns = [
        Message(role=role, content=text)
        for asked, wanted in examples
        for role, text in (("user", asked), ("assistant", wanted))
    ]
    return (*systems, mark, *turns, case)


def without_examples(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The prompt as it was before `show_examples`.

    >>> plain = (Message(role="system", content="Add."), Message(role="user", content="2+2?"))
    >>> without_examples(show_examples(plain, [("1+1?", "2")], number=1)) == plain
    True
    """
    marks = [place for place, one in enumerate(messages) if one.role == "system" and _MARK.fullmatch(one.text)]
    return (*messages[: marks[0]], messages[-1]) if marks else tuple(messages)


def question_sha256(messages: Sequence[Message]) -> str:
    """Names what is asked, with whatever examples; that of a prompt without examples is its `prompt_sha256`."""
    return sha256_of([one.model_dump() for one in without_examples(messages)])
