"""Numbers and dates in a text, by value: `1,234.50`, `1.234,50 €` and `1234.5` are the same number.

Some are written so that they mean one of two: `1.234` is read both ways, and so is `03/04/2026`. Signs, units,
numbers in words and months in other languages than English are not read.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

__all__ = ["dates_in", "number", "numbers_in", "without_dates"]

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DATE = re.compile(
    rf"(?<!\d)(?P<year>\d{{4}})-(?P<month>\d{{1,2}})-(?P<day>\d{{1,2}})(?!\d){_TIME}"
    r"|(?<!\d)(?P<one>\d{1,2})[./-](?P<other>\d{1,2})[./-](?P<numeric_year>\d{4})(?!\d)"
    r"|(?<!\d)(?P<day_first>\d{1,2})(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<then_month>[A-Za-z]{3,9})[.,]?\s(?P<its_year>\d{4})(?!\d)"
    r"|\b(?P<month_first>[A-Za-z]{3,9})\.?\s(?P<then_day>\d{1,2})(?:st|nd|rd|th)?,?\s(?P<last_year>\d{4})(?!\d)"
)
_NUMBER = re.compile(r"(\d{1,3}(?:[ \u00a0\u202f'\u2019]\d{3})+(?:[.,]\d+)?(?!\d)|\d(?:[\d.,]*\d)?)(\s?%)?")
_SPACE = re.compile(r"[ \u00a0\u202f'\u2019]")


def number(value: float) -> Decimal:
    """A number of JSON by its value: 1234.50 is 1234.5, and 1e3 is 1000.

    >>> number(1234.50) == number(1.2345e3)
    True
    """
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def numbers_in(text: str) -> Iterator[frozenset[Decimal]]:
    """Each number of a text in order, as the values that it can mean.

    >>> [sorted(map(str, one)) for one in numbers_in("€1,234.50 or 1.234 on 7.8.9, 15%")]
    [['1234.50'], ['1.234', '1234'], ['7'], ['8'], ['9'], ['0.15', '15']]
    """
    for found in _NUMBER.finditer(text):
        literal, percent = found.groups()
        for values in _values(literal):
            yield values | {value / 100 for value in values} if percent else values


def _values(literal: str) -> Iterator[frozenset[Decimal]]:
    """One number, or one per run of digits where they cannot be one."""
    plain = _SPACE.sub("", literal)
    found = frozenset(map(Decimal, [*_as_decimal(plain), *_as_whole(plain)]))
    if found:
        yield found
    else:
        yield from (frozenset({Decimal(digits)}) for digits in re.findall(r"\d+", plain))


def _as_decimal(plain: str) -> list[str]:
    """With the last mark as the decimal one, or no mark at all."""
    head, mark, tail = re.fullmatch(r"(?:(.*)([.,]))?(\d+)", plain).groups()  # type: ignore[union-attr]  # ends in a digit
    if mark is None:
        return [plain]
    thousands = "," if mark == "." else "."
    fits = head.isdigit() or _is_grouped(head, thousands)
    return [f"{head.replace(thousands, '')}.{tail}"] if fits else []


def _as_whole(plain: str) -> list[str]:
    """With every mark between thousands; a number that begins with 0 has none."""
    return [plain.replace(mark, "") for mark in ".," if _is_grouped(plain, mark) and not plain.startswith("0")]


def _is_grouped(plain: str, mark: str) -> bool:
    """By thousands, or as in India by lakhs (`1,00,000`)."""
    first, *groups = plain.split(mark)
    digits = all(group.isdigit() for group in (first, *groups))
    return (
        digits
        and bool(groups)
        and len(first) <= 3
        and all(len(one) in (2, 3) for one in groups)
        and len(groups[-1]) == 3
    )


def dates_in(text: str) -> Iterator[frozenset[date]]:
    """Each date of a text in order, as the days that it can mean.

    >>> [sorted(map(str, one)) for one in dates_in("2026-03-04, 4 March 2026, Mar. 4th, 2026 and 03/04/2026")]
    [['2026-03-04'], ['2026-03-04'], ['2026-03-04'], ['2026-03-04', '2026-04-03']]
    """
    yield from (days for found in _DATE.finditer(text) if (days := _days(found)))


def without_dates(text: str) -> str:
    """The text with a bar in place of every date and of the time of day behind it.

    >>> without_dates("due 2026-03-04T10:00:00Z, 3 bolts")
    'due |, 3 bolts'
    """
    return _DATE.sub(lambda found: "|" if _days(found) else found.group(), text)


def _days(found: re.Match[str]) -> frozenset[date]:
    named = {name: text for name, text in found.groupdict().items() if text is not None}
    match named:
        case {"year": year, "month": month, "day": day}:
            spelled = [(year, month, day)]
        case {"one": one, "other": other, "numeric_year": year}:
            spelled = [(year, one, other), (year, other, one)]
        case {"day_first": day, "then_month": month, "its_year": year}:
            spelled = [(year, _month(month), day)]
        case _:
            spelled = [(named["last_year"], _month(named["month_first"]), named["then_day"])]
    return frozenset(day for one in spelled for day in _day(*map(int, one)))


def _month(word: str) -> int:
    """From a month or its beginning to 1 to 12; 0 for any other word."""
    return next((number for number, name in enumerate(_MONTHS, 1) if name.startswith(word.casefold())), 0)


def _day(year: int, month: int, day: int) -> list[date]:
    try:
        return [date(year, month, day)]
    except ValueError:
        return []
