"""`hitl init`: what it lays out, and what it refuses to touch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hitl_prefect._version import __version__
from hitl_prefect.errors import ConfigError
from hitl_prefect.project import LaidOut, lay_out, project_folder
from tests.prefect.terminal import hitl

NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A project as it was laid out."""
    folder = tmp_path_factory.mktemp("laid") / "reviews"
    lay_out(folder)
    return folder


@pytest.fixture
def project(pristine, tmp_path):
    """A copy of its own for a test that changes it."""
    return Path(shutil.copytree(pristine, tmp_path / "reviews"))


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_project_holds_every_shipped_flow_block_and_deployment_and_the_example(pristine):
    """Byte for byte, hidden files included, and nothing that Python compiled."""
    example = Path(sys.modules["hitl_prefect"].__file__).parent / "data" / "init"
    shipped = {name: project_folder() / name for name in ("flows", "blocks", "deployments")}
    expected = files_in(example) | {"constraints.txt": (project_folder() / "constraints.txt").read_bytes()}
    for name, place in shipped.items():
        expected |= {f"{name}/{inside}": text for inside, text in files_in(place).items()}

    assert files_in(pristine) == {path: text for path, text in expected.items() if "__pycache__" not in path}
    assert (pristine / "deployments" / "deploy.sh").stat().st_mode & 0o111 == 0o111
    assert {".gitignore", ".github/workflows/ci.yml", "flows/sort_messages.py"} < set(files_in(pristine))


def test_its_tests_pass_without_a_server_and_without_a_key(project):
    """As `hitl init` says: the second of the two commands."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={"PREFECT_API_URL": NOWHERE, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )

    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_it_requires_the_version_that_laid_it_out(pristine):
    """Together with the versions that it was tested with."""
    required = (pristine / "requirements.txt").read_text().split("\n")

    assert required == [
        "--constraint constraints.txt",
        f"hitl_prefect[agents,learn,parquet]=={__version__}",
        "pytest",
        "",
    ]


def test_its_ci_runs_the_two_commands_that_are_told(pristine, tmp_path):
    """What is printed, what the workflow runs, and what the README shows are the same."""
    told = hitl(NOWHERE, "init", str(tmp_path / "two words"))
    workflow = yaml.safe_load((pristine / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]

    assert [line.strip() for line in told.out.splitlines() if line.startswith("  ")] == [
        f"cd '{tmp_path / 'two words'}'",
        *commands,
    ]
    assert "\n".join(commands) in (pristine / "README.md").read_text()


def test_a_second_time_changes_nothing(project):
    """What is the same is left alone; a folder of Git and a virtual environment may be there."""
    (project / ".git").mkdir()
    (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (project / ".venv").symlink_to(project.parent)
    (project / ".github" / "CODEOWNERS").symlink_to("../README.md")
    before = files_in(project)
    again = lay_out(project)

    assert {one.does for one in again} == {"nothing"}
    assert files_in(project) == before


def test_what_is_missing_is_completed(project):
    """As after a first time that was killed in the middle."""
    (project / "flows" / "resolve_case.py").unlink()

    assert [one for one in lay_out(project) if one.does == "create"] == [
        LaidOut(path="flows/resolve_case.py", does="create")
    ]


@pytest.mark.parametrize("mine", ["prefect.yaml", "notes.txt", "flows/mine.py", ".gitignore"])
def test_a_file_in_the_way_is_named_and_nothing_is_written(tmp_path, mine):
    """Changed files of ours and files of others alike."""
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine\n")

    told = hitl(NOWHERE, "init", str(tmp_path))

    assert (told.code, told.out) == (1, "")
    assert told.err == (
        f"hitl: '{tmp_path / mine}' stands in the way: a project is laid out in an empty folder, and nothing is "
        "overwritten. Name another folder, or move it away\n"
    )
    assert files_in(tmp_path) == {mine: b"mine\n"}


@pytest.mark.parametrize("ours", ["flows", ".github", ".github/workflows", ".gitignore"])
def test_a_link_in_the_way_is_not_followed(tmp_path, ours):
    """Else a file elsewhere would be written to; hidden or not."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project" / ours).parent.mkdir(parents=True)
    (tmp_path / "project" / ours).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="stands in the way"):
        lay_out(tmp_path / "project")

    assert files_in(tmp_path) == {}


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    """In words, and not as a traceback; by a dry run too."""
    (tmp_path / "taken").write_text("")

    for dry_run in (True, False):
        with pytest.raises(ConfigError, match="cannot be laid out"):
            lay_out(tmp_path / "taken", dry_run=dry_run)


def test_a_dry_run_lists_and_writes_nothing(tmp_path):
    """As JSON for programs."""
    told = json.loads(hitl(NOWHERE, "init", str(tmp_path / "reviews"), "--dry-run", "--json").out)

    assert {"path": "flows/sort_messages.py", "does": "create"} in told["files"]
    assert not (tmp_path / "reviews").exists()
