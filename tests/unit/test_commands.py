"""What every command of `hitl` has in common: what is said of it, and what it loads."""

import importlib
import inspect
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from cyclopts import App

from hitl_prefect.cli import _COMMANDS


def test_the_list_of_commands_says_of_each_what_its_own_help_says():
    """The list is printed without loading any."""
    told = {place: _told_before_the_arguments(place) for place in _COMMANDS}

    assert told == _COMMANDS


def _told_before_the_arguments(place):
    module, _, name = place.partition(":")
    command = getattr(importlib.import_module(f"hitl_prefect.cli.{module}"), name)
    told = command.help if isinstance(command, App) else inspect.getdoc(command)
    before = told.partition("\n\nArgs:")[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in before.split("\n\n"))


def test_neither_the_list_of_commands_nor_the_inbox_loads_prefect():
    """To import it takes a second, longer than all the rest together."""
    code = "import sys, hitl_prefect.cli, hitl_prefect.cli.inbox; sys.exit('prefect' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(401)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def refusing():
    """The address of a server that wants a password."""
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def test_a_server_that_does_not_answer_plainly_is_asked_as_prefect_asks(refusing):
    """So that what is wrong is told in the words of every other command."""
    environment = {"PREFECT_API_URL": refusing, "NO_PROXY": "127.0.0.1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    asked = subprocess.run(
        [sys.executable, "-m", "hitl_prefect", "inbox"], env=environment, capture_output=True, text=True, check=False
    )

    assert (asked.returncode, asked.stderr) == (
        1,
        f"hitl: the Prefect server at {refusing} refuses us (401): set PREFECT_API_KEY or PREFECT_API_AUTH_STRING\n",
    )
