"""Which of several waiting cases are meant: `confidence > 0.8 and reason == "below_bar"`.

A small language, read with Python's own parser and nothing else of Python: names of columns, `< <= == != >= >`, `in`,
`and`, `or`, `not`, parentheses, text, numbers and `none`. Everything else is refused before any case is looked at.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from hitl_prefect.errors import ConfigError

__all__ = ["COLUMNS", "Column", "Selection"]

Column = str | float | None

COLUMNS: dict[str, type] = {
    "task": str,
    "case": str,
    "reason": str,
    "confidence": float,
    "attempt": float,
    "age_s": float,
    "expected_loss": float,
}
"""What an expression may name, and whether it is text or a number."""

_MOST_CHARACTERS = 2_000
_NONE = {"none", "None"}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SAME: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_AMONG: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}


class Selection:
    """An expression over the columns of the inbox.

    What a case lacks is unknown, and no comparison with it holds, nor does the comparison's `not`; `confidence == none`
    asks for it.

    Args:
        expression: Such as `confidence > 0.8 and reason in ("below_bar", "rule")`.

    Raises:
        ConfigError: If it is not of the language; the message points at the spot.

    >>> Selection("confidence > 0.8").matches({"confidence": 0.9})
    True
    >>> Selection("not confidence > 0.8").matches({"confidence": None})
    False
    """

    def __init__(self, expression: str) -> None:
        self.expression = " ".join(expression.splitlines()).strip()
        self._tree = self._parsed()
        self._check(self._tree)

    def matches(self, columns: Mapping[str, Column]) -> bool:
        """Whether a case is meant; a column that is not given is one that the case lacks."""
        return _holds(self._tree, columns) is True

    def _parsed(self) -> ast.expr:
        if len(self.expression) > _MOST_CHARACTERS:
            raise ConfigError(f"the expression has more than {_MOST_CHARACTERS:,} characters: say it in fewer")
        try:
            return ast.parse(self.expression, mode="eval").body
        except SyntaxError as exc:
            self._refuse(exc.offset - 1 if exc.offset else len(self.expression), exc.msg)
        except (ValueError, RecursionError, MemoryError) as exc:
            raise ConfigError(f"the expression cannot be read: {exc}") from exc

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.BoolOp(values=parts):
                for part in parts:
                    self._check(part)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                self._check(part)
            case ast.Compare(left=left, ops=ops, comparators=others):
                for one, how, other in zip((left, *others), ops, others, strict=False):
                    self._check_comparison(one, how, other)
            case _:
                self._refuse_at(node, "expected a comparison, such as confidence > 0.8")

    def _check_comparison(self, left: ast.expr, how: ast.cmpop, right: ast.expr) -> None:
        one, other = self._kind(left), self._kind(right)
        if type(how) in _AMONG:
            fits = isinstance(right, ast.Tuple | ast.List) or (one is str and other is str)
            if not fits:
                self._refuse_at(right, 'after `in` stands a list, such as ("below_bar", "rule")')
        elif type(how) not in {**_ORDER, **_SAME}:
            self._refuse_at(right, "`is` is not known: use ==")
        elif isinstance(right, ast.Tuple | ast.List) or isinstance(left, ast.Tuple | ast.List):
            self._refuse_at(right, "a list is compared with `in`")
        if None not in (one, other) and one is not other:
            self._refuse_at(right, "a number cannot be compared with text")

    def _kind(self, node: ast.expr) -> type | None:
        """Text or number; `None` for `none`, and for an empty list."""
        match node:
            case ast.Name(id=name) if name in _NONE:
                return None
            case ast.Name(id=name):
                return COLUMNS[name] if name in COLUMNS else self._refuse_at(node, f"known are {', '.join(COLUMNS)}")
            case ast.Constant(value=value) if value is None or isinstance(value, str):
                return None if value is None else str
            case ast.Tuple(elts=items) | ast.List(elts=items):
                kinds = {self._kind(item) for item in items} - {None}
                return kinds.pop() if len(kinds) <= 1 and kinds else None if not kinds else self._mixed(node)
        return float if _number(node) is not None else self._refuse_at(node, "expected a column, a text or a number")

    def _mixed(self, node: ast.expr) -> NoReturn:
        self._refuse_at(node, "a list holds either texts or numbers")

    def _refuse_at(self, node: ast.expr, why: str) -> NoReturn:
        # The parser counts in bytes of UTF-8.
        self._refuse(len(self.expression.encode()[: node.col_offset].decode()), why)

    def _refuse(self, at: int, why: str) -> NoReturn:
        raise ConfigError(f"cannot read this selection:\n  {self.expression}\n  {' ' * max(at, 0)}^ {why}")


def _holds(node: ast.expr, columns: Mapping[str, Column]) -> bool | None:
    """Kleene's logic: `None` is unknown."""
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return _all([_holds(part, columns) for part in parts])
        case ast.BoolOp(values=parts):
            return _not(_all([_not(_holds(part, columns)) for part in parts]))
        case ast.UnaryOp(operand=part):
            return _not(_holds(part, columns))
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(part, columns) for part in (left, *others)]
            asks = [_is_none(part) for part in (left, *others)]
            return _all([_compared(how, values[at : at + 2], asks[at : at + 2]) for at, how in enumerate(ops)])
    raise AssertionError(f"{ast.dump(node)} was let through")


def _compared(how: ast.cmpop, values: Sequence[Any], asks_for_none: Sequence[bool]) -> bool | None:
    one, other = values
    if type(how) in _SAME and any(asks_for_none):
        return _SAME[type(how)](one, other)
    if one is None or other is None:
        return None
    return {**_ORDER, **_SAME, **_AMONG}[type(how)](one, other)


def _value(node: ast.expr, columns: Mapping[str, Column]) -> Any:
    match node:
        case ast.Name(id=name):
            return None if name in _NONE else columns.get(name)
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_value(item, columns) for item in items]
    return _number(node)


def _is_none(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id in _NONE) or (isinstance(node, ast.Constant) and node.value is None)


def _number(node: ast.expr) -> float | None:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            return None if isinstance(value, bool) or not isinstance(value, int | float) else -value
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def _all(values: Sequence[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value
