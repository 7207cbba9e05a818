"""What every command of `hitl` has in common: what is said of it, and what it loads."""

import importlib
import inspect
import subprocess
import sys

from cyclopts import App

from hitl_prefect.cli import _COMMANDS


def test_the_list_of_commands_says_of_each_what_its_own_help_says():
    """The list is printed without loading any."""
    first = {place: _first_paragraph(place) for place in _COMMANDS}

    assert first == _COMMANDS


def _first_paragraph(place):
    module, _, name = place.partition(":")
    command = getattr(importlib.import_module(f"hitl_prefect.cli.{module}"), name)
    told = command.help if isinstance(command, App) else inspect.getdoc(command)
    return " ".join(told.partition("\n\n")[0].split())


def test_the_list_of_commands_loads_no_prefect():
    """To import it takes a second, longer than all the rest together."""
    code = "import sys, hitl_prefect.cli; sys.exit('prefect' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
