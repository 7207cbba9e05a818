"""The demo, as a new user runs it: by script, by a person at a terminal, and on another model.

CI runs them once, with the command of an environment that has only the wheel: `HITL_COMMAND`. The demo takes a minute,
beside other work four.
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prefect.terminal import hitl
from tests.servers.machine import wait_until
from tests.wire.loopback import LoopbackAI

README = Path(__file__).parents[2] / "README.md"
COMMAND = [*os.environ.get("HITL_COMMAND", f"{sys.executable} -m hitl_prefect").split(), "demo"]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the demo printed, with the scripted reviewer."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [*COMMAND, "--auto", "--folder", folder], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=580
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def concluded(text):
    """The lines from the table of outcomes to the end of the second round."""
    return text.split("14 outcomes:\n\n")[1].split("\n\nThey are in ")[0].splitlines()


@pytest.mark.full
def test_the_demo_prints_the_outcomes_and_the_second_round_that_the_readme_shows(told):
    """The README holds the real output."""
    assert concluded(told) == concluded(README.read_text("utf-8"))


@pytest.mark.full
def test_the_second_round_asks_less_than_the_first_at_no_more_error(told):
    """Less than the first, and less than the same messages would have been asked about before learning."""
    rows = re.findall(r"^(first|second, \w+ learning) +(\d+) of 14 +(\d+) of \d+$", told, re.MULTILINE)
    first, before, after = ((int(asked), int(wrong)) for _, asked, wrong in rows)

    assert after[0] < min(first[0], before[0])
    assert after[1] <= min(first[1], before[1])


@pytest.mark.full
def test_every_line_of_the_scripted_reviewer_says_so(told):
    """As many answers by script as cases that waited."""
    waiting = int(re.search(r"(\d+) wait for a person:", told).group(1))

    assert len(re.findall("^  scripted reviewer: ", told, re.MULTILINE)) == waiting >= 3


@pytest.mark.full
def test_the_demo_leaves_nothing_running(told):
    """Server, runner and flow runs are gone."""
    home = re.search(r"Starting a Prefect server of its own in (\S+)", told).group(1)

    assert [pid for pid in Path("/proc").glob("[0-9]*") if home.encode() in _environment(pid)] == []


def _environment(process):
    """The environment of a process; empty where it is not ours to read, or has ended."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def test_a_model_that_cannot_be_asked_is_named_before_anything_is_started(tmp_path, monkeypatch):
    """Nothing is left behind, not even a folder."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = hitl("http://127.0.0.1:9/api", "demo", "--model", "openai:gpt-5-mini", "--folder", str(tmp_path / "demo"))

    assert (done.code, "set OPENAI_API_KEY" in done.err, done.out) == (1, True, "")
    assert not (tmp_path / "demo").exists()


@pytest.mark.full
def test_at_a_terminal_the_demo_waits_for_the_person(tmp_path):
    """A person answers with `hitl answer`, in another terminal, as the demo says."""
    ours, theirs = pty.openpty()
    with (
        (tmp_path / "told").open("w+") as out,
        subprocess.Popen([*COMMAND, "--folder", tmp_path], stdin=theirs, stdout=out, stderr=subprocess.STDOUT) as demo,
    ):
        log = Path(out.name)
        wait_until(lambda: "or in another terminal" in log.read_text(), "the demo waits", timeout_s=200)
        api = re.search(r"PREFECT_API_URL=(\S+)", log.read_text()).group(1)
        for run in re.findall(r"^(msg-\d\d) .*http", log.read_text(), re.MULTILINE):
            answered = subprocess.run(
                [sys.executable, "-m", "hitl_prefect", "answer", run, "--decision", "reject", "--reviewer", "ada"],
                env=os.environ | {"PREFECT_API_URL": api},
            )
            assert answered.returncode == 0
        assert demo.wait(120) == 0
    os.close(ours)
    os.close(theirs)

    assert "scripted" not in log.read_text()
    assert len(re.findall(r"reject +human", log.read_text())) >= 3
    assert "once more with 0 answers from above" in log.read_text()


@pytest.mark.full
def test_the_demo_runs_on_another_model(tmp_path):
    """`--model openai:…` sends the same messages there, with the key of the environment."""
    with LoopbackAI('{"answer": "refund", "confidence": 0.9}') as ai:
        done = subprocess.run(
            [*COMMAND, "--auto", "--model", "openai:gpt-5-mini", "--folder", tmp_path],
            env=os.environ | ai.env_of("openai"),
            capture_output=True,
            text=True,
            timeout=290,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (len(ai.requests), "sk-loopback" in done.stdout) == (14, False)
    assert "Second round" not in done.stdout
