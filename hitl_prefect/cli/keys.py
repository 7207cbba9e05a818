"""`hitl keys make`, `hitl keys list`."""

import getpass
import json as json_format
import os
from typing import Annotated

from cyclopts import App, Parameter

from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.errors import ConfigError
from hitl_prefect.inert import visible
from hitl_prefect.keys import KeyFile, key_files, keys_folder, make_key

__all__ = ["keys"]

keys = App(name="keys", help="Make and list the keys that reviewers sign with.", result_action="return_value")


@keys.command
def make(name: str, *, passphrase: Annotated[bool, Parameter(negative=())] = False, json: AsJson = False) -> int:
    """Make a reviewer's own key on this machine, and print its line for a policy's reviewer_keys.

    Args:
        name: The reviewer, as the policy names them.
        passphrase: Ask for a passphrase that the key opens with; HITL_KEY_PASSPHRASE, where it is set, is taken
            without asking.
        json: Print JSON.
    """
    made = make_key(name, passphrase=_passphrase(ask=passphrase))
    if json:
        print_json(made)
        return 0
    say(f"The key is in {made.path}; keep it to yourself. For reviewer_keys of the policy:\n")
    say(_line(made))
    return 0


@keys.command(name="list")
def list_keys(*, json: AsJson = False) -> int:
    """List the keys on this machine.

    Args:
        json: Print JSON.
    """
    found = key_files()
    if json:
        print_json({"keys": found})
    elif found:
        say(table([_row(one) for one in found]))
    else:
        say(f"No key in {keys_folder()}: `hitl keys make NAME` makes one.")
    return 0


def _row(key: KeyFile) -> dict[str, object]:
    opens = "with a passphrase" if key.encrypted else "freely"
    return {"name": visible(key.name), "public key": visible(key.public_key), "opens": opens, "path": key.path}


def _line(key: KeyFile) -> str:
    return f"{json_format.dumps(key.name, ensure_ascii=False)}: {json_format.dumps(key.public_key)}"


def _passphrase(*, ask: bool) -> str | None:
    if given := os.environ.get("HITL_KEY_PASSPHRASE"):
        return given
    if not ask:
        return None
    first = getpass.getpass("Passphrase: ")
    if not first or getpass.getpass("The same again: ") != first:
        raise ConfigError("the two passphrases differ or are empty: no key was made")
    return first
