"""What is thrown at parsers: texts, JSON, and files that are nearly right."""

import json
import os
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["JSON", "NASTY", "almost", "fuzzed", "named_in"]


def fuzzed(examples: int = 30):
    """Settings of a fuzz test: an example that takes 5 s hangs; 10 times as many with `make test-all`."""
    many = 10 if os.environ.get("HITL_FULL") == "1" else 1
    return settings(
        max_examples=examples * many,
        deadline=timedelta(seconds=5),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


NASTY = st.sampled_from(
    [
        "",
        "\x00",
        "\x1b[2J",
        "\u202e",
        "\ufeff{}",
        "[" * 300,
        '{"a":' * 300,
        "9" * 5000,
        "1e999",
        "-0",
        '{"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}',
        '{"__prefect_kind": "json", "value": "["}',
        "=cmd|' /C calc'!A0",
        "../../etc/passwd",
        "NaN",
        "null",
        '"\\ud800"',
        "`" * 50,
    ]
)
"""Words that have broken parsers before."""

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | NASTY
    | st.just("\ud800")
)
JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just("__prefect_kind"), inner, max_size=4)
        | inner.map(lambda value: [[[[[[[[value]]]]]]]])
    ),
    max_leaves=12,
)
"""Any JSON, also what a person could hardly type."""


def almost(value):
    """A JSON value that is like another, but for one place."""
    places = list(_places(value))
    return st.tuples(st.sampled_from(places), JSON, st.booleans()).map(lambda drawn: _changed(value, *drawn))


def named_in(value):
    """Bytes of a file that nearly holds a JSON value: a place of it changed, bytes cut off, spoilt, or others."""
    whole = json.dumps(value).encode()
    cut = st.integers(0, len(whole)).map(lambda at: whole[:at])
    spoilt = st.tuples(st.integers(0, len(whole)), st.binary(max_size=6)).map(
        lambda drawn: whole[: drawn[0]] + drawn[1] + whole[drawn[0] + 1 :]
    )
    nasty = NASTY.map(str.encode)
    return almost(value).map(lambda one: json.dumps(one).encode()) | cut | spoilt | nasty | st.binary(max_size=60)


def _places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _places(one, (*path, key))


def _changed(value, path, other, gone):
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    if gone and len(path) == 1 and isinstance(copy, dict):
        del copy[path[0]]
    else:
        copy[path[0]] = _changed(copy[path[0]], path[1:], other, gone)
    return copy
