"""The file that a person edits an answer in: checked when it is closed, opened again with the errors, never lost."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue

from hitl_prefect.answer_files import answer_in_file, body_of, file_text, is_text
from hitl_prefect.cli.printing import say_aside
from hitl_prefect.errors import AnswerRefused, ConfigError
from hitl_prefect.form_checks import answer_errors
from hitl_prefect.forms import Form

__all__ = ["AnswerFile", "answer_file", "read_answer_file"]

_HELP = "Change what is wrong, save and close. Delete all of it to send nothing."


class AnswerFile:
    """One answer on its way through an editor.

    Args:
        form: What the answer must fit.
        path: Where the file is written.
    """

    def __init__(self, form: Form, path: Path) -> None:
        self.form, self.path = form, path

    def edit(self) -> JsonValue | None:
        """Let the person edit it until it fits the form.

        Returns:
            The answer; `None` where they deleted all of it.

        Raises:
            AnswerRefused: If it was closed unchanged although something was wrong with it.
            ConfigError: If no editor is set, or it fails.
        """
        text = self._read() if self.path.exists() else file_text(self.form, remarks=(_HELP,))
        while True:
            self.path.write_text(text, "utf-8")
            _open_editor(self.path)
            closed = self._read()
            if not (body := body_of(closed)).strip():
                return None
            if not (errors := self._errors(closed)):
                return answer_in_file(self.form, closed)
            if closed == text:
                raise AnswerRefused(errors)
            text = file_text(self.form, body, ("It does not fit yet:", *(f"  {one}" for one in errors), _HELP))

    def _errors(self, text: str) -> tuple[str, ...]:
        try:
            return answer_errors(self.form, answer_in_file(self.form, text))
        except AnswerRefused as exc:
            return exc.errors

    def _read(self) -> str:
        return read_answer_file(self.path)


@contextmanager
def answer_file(form: Form, run_name: str) -> Iterator[AnswerFile]:
    """A file for one answer; it goes when all went well, and otherwise stays and is named."""
    folder = Path(tempfile.mkdtemp(prefix="hitl-answer-"))
    paper = AnswerFile(form, folder / ("answer.txt" if is_text(form) else "answer.json"))
    try:
        yield paper
    except BaseException:
        if paper.path.exists():
            again = f"hitl answer {shlex.quote(run_name)} --decision edit --answer-file {paper.path}"
            say_aside(f"What you wrote is kept in {paper.path}. To send it: `{again}`")
        else:
            folder.rmdir()
        raise
    shutil.rmtree(folder)


def read_answer_file(path: Path) -> str:
    """The text of a file.

    Raises:
        AnswerRefused: If it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise AnswerRefused((f"answer: byte {exc.start} of {path} is no UTF-8: save the file as UTF-8",)) from exc
    except OSError as exc:
        raise AnswerRefused((f"answer: cannot read {path}: {exc.strerror}",)) from exc


def _open_editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        raise ConfigError("no editor is set: set EDITOR, such as EDITOR=nano, or give --answer or --answer-file")
    # Ctrl-C belongs to the editor; a handler, unlike SIG_IGN, is not handed down to it.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603 the person's own editor
    except (OSError, ValueError) as exc:
        raise ConfigError(f"the editor {command!r} does not start ({exc}): set EDITOR to one that does") from exc
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode:
        raise ConfigError(f"the editor {command!r} ended with code {done.returncode}: nothing was sent")
