"""Personal data that shows by its form: found in a text, and replaced by what it is.

Names, addresses and what else has no form of its own is not found. A number counts as a card or an account where its
check digits are right, so that order numbers stay.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

__all__ = ["BUILT_IN", "check_patterns", "redact"]

_GAP = "[ \u00a0\u202f-]"
"""Between groups: a space, one that does not break (texts out of PDF and HTML are full of them), or a dash."""

_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "AO CV GW LY MZ PT ST",
    26: "DZ IR IS TR",
    27: "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD",
    28: "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""How many characters an account has.

Source: SWIFT, IBAN registry (ISO 13616-2), and the countries that use the form without being registered.
"""
_IBAN_LENGTHS = {country: length for length, countries in _IBAN_COUNTRIES.items() for country in countries.split()}
_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")

_ANY_CARD = re.compile(rf"(?<![0-9])[0-9](?:{_GAP}?[0-9]){{12,18}}(?![0-9])")
_GROUPED_CARD = re.compile(rf"(?<![0-9])(?=([0-9]{{4,19}}(?:{_GAP}[0-9]{{3,13}}){{0,5}})(?![0-9]))")
"""Groups as cards have them, from where one begins; other numbers may stand before and behind.

Nothing is consumed, so that each group is tried as the first.
"""

_DOUBLED = str.maketrans("0123456789", "0246813579")
"""A digit twice, and what that has for digits added up."""

Span = tuple[int, int]
"""Where something begins and ends in a text."""


def _ibans(text: str) -> Iterator[Span]:
    for head in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(head[0][:2].upper())
        found = _account_of(length).match(text, head.start()) if length else None
        if found and _is_iban(found[0]):
            yield found.span()


@lru_cache(maxsize=64)
def _account_of(length: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Za-z0-9](?:{_GAP}?[A-Za-z0-9]){{{length - 1}}}")


def _is_iban(text: str) -> bool:
    """Source: ISO 13616; the check digits are those of ISO 7064, mod 97-10."""
    plain = re.sub(_GAP, "", text)
    moved = plain[4:] + plain[:4]
    number = "".join(str(int(one, 36)) for one in moved)
    return int(number) % 97 == 1


def _cards(text: str) -> Iterator[Span]:
    alone = (found.span() for found in _ANY_CARD.finditer(text) if _is_card(found[0]))
    among_others = (span for found in _GROUPED_CARD.finditer(text) for span in _longest_card(found))
    yield from sorted({*alone, *among_others})


def _longest_card(groups: re.Match[str]) -> Iterator[Span]:
    """From the first group on, if it is one; the last groups may be something else."""
    ends = (len(groups[1]), *(gap.start() for gap in reversed(list(re.finditer(_GAP, groups[1])))))
    yield from [(groups.start(), groups.start() + end) for end in ends if _is_card(groups[1][:end])][:1]


def _is_card(text: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B (Luhn)."""
    digits = re.sub(_GAP, "", text)
    if not 13 <= len(digits) <= 19:
        return False
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _every(pattern: str) -> Callable[[str], Iterator[Span]]:
    """Whatever fits a pattern."""
    compiled = re.compile(pattern)
    return lambda text: (found.span() for found in compiled.finditer(text))


BUILT_IN: Mapping[str, Callable[[str], Iterator[Span]]] = {
    "email": _every(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}"),
    "iban": _ibans,
    "card": _cards,
    "phone": _every(
        r"(?<![\w+])(?:\+[0-9]{1,3}[ ./-]?(?:\(0?[0-9]{1,5}\)[ ./-]?)?(?:[0-9][ ./-]?){5,12}[0-9]"
        r"|(?<![.-])\(?0[0-9]{2,5}\)?(?: ?[/.-] ?| )(?:[0-9][ -]?){4,9}[0-9]"
        r"|(?<![.-])0[0-9](?: ?[/.-] ?| )(?:[0-9][ .-]?){6,9}[0-9]"
        r"|\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4})(?!\w)"
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
    find = BUILT_IN.get(pattern)
    if find is None:
        return _compiled(pattern).sub("[redacted]", text)
    pieces, done = [], 0
    for start, end in find(text):
        # What overlaps is replaced as one: of two numbers that both count, either may be the real one.
        if start >= done:
            pieces += [text[done:start], f"[{pattern}]"]
        done = max(done, end)
    return "".join((*pieces, text[done:]))


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
