"""The file of bad lines: written as they come, never twice, never over what somebody else wrote."""

import json
import subprocess
import sys

import pytest

from hitl_prefect.errors import ConfigError
from hitl_prefect.sources import BadLine, SetAside

HALF = BadLine(number=2, text='{"Ö"\u202e\n', problems=("line: no JSON",))
LONG = BadLine(number=9, text="x", problems=("id: a", "prompt: b"))

_KILLED = """
import os, signal, sys
from hitl_prefect.sources import BadLine, SetAside
with SetAside(sys.argv[1]) as aside:
    aside.add(BadLine.model_validate_json(sys.argv[2]))
    aside._file.write(b'{"number":9,"te')
    aside._file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def lines_in(path):
    return [BadLine.model_validate_json(line) for line in path.read_bytes().splitlines()]


def test_bad_lines_stand_there_as_json_and_once(tmp_path):
    """Also where the same source is read again."""
    path = tmp_path / "deep" / "bad.jsonl"
    for lines in ([HALF], [HALF, LONG, LONG]):
        with SetAside(path) as aside:
            for line in lines:
                aside.add(line)

    assert lines_in(path) == [HALF, LONG]
    assert json.loads(path.read_bytes().splitlines()[0]) == HALF.model_dump(mode="json") | {
        "problems": ["line: no JSON"]
    }


def test_a_line_is_there_as_soon_as_it_is_added(tmp_path):
    with SetAside(tmp_path / "bad.jsonl") as aside:
        aside.add(HALF)

        assert lines_in(tmp_path / "bad.jsonl") == [HALF]


def test_a_writer_that_was_killed_in_the_middle_of_a_line_goes_on(tmp_path):
    path = tmp_path / "bad.jsonl"
    killed = subprocess.run([sys.executable, "-c", _KILLED, path, HALF.model_dump_json()], timeout=60)
    torn = path.read_bytes().endswith(b'{"number":9,"te')
    with SetAside(path) as aside:
        aside.add(HALF)
        aside.add(LONG)

    assert (killed.returncode, torn, lines_in(path)) == (-9, True, [HALF, LONG])


def test_where_nothing_is_bad_there_is_no_file(tmp_path):
    with SetAside(tmp_path / "bad.jsonl"):
        pass

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b'{"id": "a", "prompt": "A?"}\n', b"notes", b'{"number":1}\n{"nu', b"\n"])
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, content):
    """A mistyped path must not cost the cases."""
    path = tmp_path / "cases.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cases\.jsonl' holds something else than bad lines"), SetAside(path):
        pass

    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_found_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot set bad lines aside in .*: Is a directory"), SetAside(tmp_path):
        pass


def test_outside_of_its_block_nothing_is_taken(tmp_path):
    with pytest.raises(ConfigError, match="within `with SetAside"):
        SetAside(tmp_path / "bad.jsonl").add(HALF)
