"""Text that somebody else wrote, shown so that it can do nothing: no markup, no link, no image, no hidden character.

Prefect renders a form's description as markdown, loads remote images and keeps some HTML. A model or a case must
never write into that; its words stand in code, behind a fence longer than any run of backticks among them.
"""

import json
import re
import textwrap
import unicodedata

__all__ = ["code_span", "cut", "fence", "folded", "short", "visible", "visible_json"]

_SHOWN = {"\n", "\t"}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that draw nothing, or change how their neighbours are drawn."""
_EMOJI_JOINER = "\u200d"


def visible(text: str) -> str:
    r"""Control, bidirectional and other undrawn characters written out; line breaks and tabs stay.

    >>> print(visible("a\u202eb\x1b[31m\r\nc"))
    a\u202eb\x1b[31m
    c
    """
    if text.isprintable():  # as most names are; what is hidden is not printable
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_written_out(character) for character in lines)


def visible_json(text: str) -> str:
    r"""JSON text that says the same, with undrawn characters as JSON's escapes.

    >>> print(visible_json('{"a": "b\u202ec\u009b31m"}'))
    {"a": "b\u202ec\u009b31m"}
    """
    if text.isascii() and "\x7f" not in text:  # all else that ASCII has of them is escaped already
        return text
    return "".join(one if _is_drawn(one) else json.dumps(one)[1:-1] for one in text)


def fence(text: str) -> str:
    r"""A markdown code block that `text` cannot leave.

    >>> print(fence("```\n![](http://x)"))
    ````text
    ```
    ![](http://x)
    ````
    """
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}text\n{visible(text)}\n{ticks}"


def code_span(text: str) -> str:
    r"""One line of markdown code that `text` cannot leave, also inside a table.

    >>> print(code_span("a `b`\n| c"))
    `` a `b` \| c ``
    """
    line = " ".join(visible(text).split()).replace("|", r"\|")
    ticks = "`" * (_longest_run(line) + 1)
    return f"{ticks} {line} {ticks}"


def folded(text: str, width: int = 66) -> str:
    """Long lines broken at spaces, since a code block does not: the form's is about 70 characters wide.

    >>> print(folded("one two three", 8))
    one two
    three
    """
    return "\n".join(part for line in text.split("\n") for part in _fold(line, width))


def _fold(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, break_on_hyphens=False, replace_whitespace=False, drop_whitespace=True) or [line]


def cut(text: str, limit: int = 20_000) -> str:
    """At most `limit` characters of `text`, the middle left out, with a line that says how much.

    >>> print(cut("abcdefgh", 4))
    ab
    [... 4 characters are hidden here ...]
    gh
    """
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 2], text[len(text) - (limit - limit // 2) :]
    return f"{head}\n[... {len(text) - limit:,} characters are hidden here ...]\n{tail}"


def short(text: str, limit: int = 200) -> str:
    """At most about `limit` characters of `text` in a sentence, the middle left out.

    >>> short("abcdefgh", 4)
    'ab ... gh'
    """
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[len(text) - limit // 2 :]}"


def _written_out(character: str) -> str:
    if _is_drawn(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_drawn(character: str) -> bool:
    return character in _SHOWN or unicodedata.category(character) not in _HIDDEN or character == _EMOJI_JOINER


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
