"""Personal data that shows by its form: found in a text, and replaced by what it is.

Names, addresses and what else has no form of its own is not found. A number counts as a card or an account where its
check digits are right, so that order numbers stay.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["BUILT_IN", "check_patterns", "redact"]

_LUHN_BASE = 10


def _is_iban(text: str) -> bool:
    """Source: ISO 13616; the check digits are those of ISO 7064, mod 97-10."""
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    number = "".join(str(int(one, 36)) for one in moved)
    return int(number) % 97 == 1


def _is_card(text: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B (Luhn)."""
    digits = [int(one) for one in text if one.isdigit()]
    doubled = (sum(divmod(2 * one, _LUHN_BASE)) for one in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % _LUHN_BASE == 0


class _Kind(NamedTuple):
    pattern: re.Pattern[str]
    counts: Callable[[str], bool] = lambda _: True


BUILT_IN: Mapping[str, _Kind] = {
    "email": _Kind(re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}")),
    "iban": _Kind(re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _is_iban),
    "card": _Kind(re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])"), _is_card),
    "phone": _Kind(
        re.compile(
            r"(?<![\w+])(?:\+[0-9]{1,3}[ ./-]?(?:\(0?[0-9]{1,5}\)[ ./-]?)?(?:[0-9][ ./-]?){5,12}[0-9]"
            r"|(?<![.-])\(?0[0-9]{2,5}\)?(?: ?[/.-] ?| )(?:[0-9][ -]?){4,9}[0-9]"
            r"|(?<![.-])0[0-9](?: ?[/.-] ?| )(?:[0-9][ .-]?){6,9}[0-9]"
            r"|\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4})(?!\w)"
        )
    ),
}
"""What is found by a name: mail addresses, bank accounts, payment cards, and phone numbers as people write them."""


def redact(text: str, patterns: Sequence[str]) -> str:
    r"""The text with what fits a pattern replaced: `[email]` for a name of `BUILT_IN`, `[redacted]` for any other.

    Args:
        text: Any text.
        patterns: Names, or regular expressions, each applied to what the ones before it left.

    >>> redact("Mail grace@example.org, card 4111 1111 1111 1111, order 4111 1111 1111 1112.", ["email", "card"])
    'Mail [email], card [card], order 4111 1111 1111 1112.'
    >>> redact("Case K-2041 of Hopper.", [r"K-\d+"])
    'Case [redacted] of Hopper.'
    """
    for pattern in patterns:
        text = _replaced(text, pattern)
    return text


def check_patterns(patterns: Sequence[str]) -> None:
    """Refuse what is neither a name nor a regular expression, or fits everywhere.

    Raises:
        ValueError: Saying which one.
    """
    for pattern in patterns:
        try:
            fits_nothing = pattern not in BUILT_IN and _compiled(pattern).search("") is not None
        except re.error as exc:
            raise ValueError(f"redact: {pattern!r} is no regular expression: {exc}") from None
        if fits_nothing:
            raise ValueError(f"redact: {pattern!r} fits an empty text, and so everywhere: make it need a character")


def _replaced(text: str, pattern: str) -> str:
    kind = BUILT_IN.get(pattern)
    if kind is None:
        return _compiled(pattern).sub("[redacted]", text)
    return kind.pattern.sub(lambda found: f"[{pattern}]" if kind.counts(found[0]) else found[0], text)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
