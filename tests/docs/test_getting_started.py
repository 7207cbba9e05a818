"""docs/getting-started.md, typed from its first line to its last: the wheel, a server, two workers, a reviewed case."""

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docs.transcript import Step, run, steps_of
from tests.servers.machine import free_port, wait_until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "getting-started.md"
OWN_FLOW = ROOT / "hitl_prefect" / "data" / "init" / "flows" / "sort_messages.py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What is in the wheel and nothing else of this project, as an installer unpacks it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (packed,) = folder.glob("*.whl")
    with zipfile.ZipFile(packed) as files:
        for one in files.infolist():
            Path(files.extract(one, folder / "site")).chmod(one.external_attr >> 16 & 0o777)
    return folder / "site"


@pytest.fixture
def environment(wheel, tmp_path):
    """A person's own terminal; at the end nothing that was started there runs on."""
    home = tmp_path / "prefect"
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    yield outside | {
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_API_PORT": str(free_port()),
        # Looked for every 10 s otherwise.
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(wheel),
    }
    for process in running_below(home):
        os.kill(process, signal.SIGKILL)


def running_below(home):
    """The processes whose Prefect home this is."""
    return [int(pid.name) for pid in Path("/proc").glob("[0-9]*") if str(home).encode() in _environment(pid)]


def _environment(process):
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


# A minute; more where the machine has much else to do.
@pytest.mark.timeout(600)
def test_what_the_page_shows_is_what_comes_out(environment, tmp_path):
    """All but what needs the package index, which .ci/run does in an environment that has only the wheel."""
    port = environment["PREFECT_SERVER_API_PORT"]
    told = [
        Step(step.command.replace("4200", port), [line.replace("4200", port) for line in step.shown])
        for step in steps_of(PAGE)
    ]
    offline = [step for step in told if not any(word in step.command for word in ("pip install", "venv", "deploy.sh"))]

    missing = run(offline, tmp_path, environment, timeout_s=560)

    assert {step.command: lines for step, lines in zip(offline, missing, strict=True) if lines} == {}
    wait_until(lambda: not running_below(tmp_path / "prefect"), "what was started is stopped")


def test_the_page_is_read_and_typed_in_ten_minutes():
    """At half the speed of most people; what the machine does meanwhile does not count.

    Source: Brysbaert (2019), Journal of Memory and Language 109, 238 words of prose a minute; Dhakal, Feit, Kristensson
        and Oulasvirta (2018), CHI, 52 words of five characters typed a minute.
    """
    words = len(PAGE.read_text("utf-8").split())
    typed = sum(len(step.command) for step in steps_of(PAGE))

    assert words / (238 / 2) + typed / 5 / (52 / 2) <= 10


def test_the_flow_of_the_page_is_the_one_that_is_laid_out():
    """But for its docstrings and for the lines that serve it."""
    page = PAGE.read_text("utf-8").split("```python\n")[1].split("```")[0]
    laid = OWN_FLOW.read_text("utf-8")

    assert [line for line in page.splitlines() if line not in laid] == []
