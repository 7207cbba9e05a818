"""What every test leans on: nothing leaves the machine, and a missing server can be made a failure."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_connection_that_leaves_the_machine_is_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, pytest.raises(RuntimeError, match="loopback only"):
        sender.connect(("192.0.2.1", 9))


@pytest.mark.parametrize(("wanted", "summary", "code"), [("0", "1 skipped", 0), ("1", "1 failed", 1)])
def test_what_is_missing_is_skipped_unless_all_is_required(tmp_path, wanted, summary, code):
    test = tmp_path / "test_it.py"
    test.write_text("from tests.conftest import require\ndef test_it(): require(None, 'Ceph', 'apt-get install x')\n")
    argv = [sys.executable, "-m", "pytest", "-rsf", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(test)]
    env = {**os.environ, "HITL_REQUIRE_ALL": wanted, "PYTHONPATH": str(Path.cwd())}
    ran = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    assert [summary in ran.stdout, "apt-get install x" in ran.stdout, ran.returncode] == [True, True, code]
