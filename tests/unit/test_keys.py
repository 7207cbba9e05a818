"""A reviewer's own key files."""

import os
import pty
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hitl_prefect.cli import app
from hitl_prefect.errors import ConfigError
from hitl_prefect.keys import key_files, keys_folder, make_key, private_key
from hitl_prefect.policy import Policy
from hitl_prefect.signing import public_key_of


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HITL_KEYS", str(tmp_path / "keys"))
    monkeypatch.delenv("HITL_KEY_PASSPHRASE", raising=False)
    return tmp_path / "keys"


def test_a_key_is_its_owners_alone(folder):
    """File and folder, from the first moment; what signs is what was printed."""
    made = make_key("ada")

    assert (folder.stat().st_mode & 0o777, made.path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert public_key_of(private_key("ada")) == made.public_key
    assert key_files() == [made]


def test_a_key_is_never_overwritten():
    """What others hold as its public half would be worth nothing."""
    made = make_key("ada")
    with pytest.raises(ConfigError, match="'ada' has a key in"):
        make_key("ada")

    assert key_files() == [made]


@pytest.mark.parametrize("name", ["../../ada", "ada/bob", "Ada Lovelace", "ada@example.org", ".", "Ä", "a%2Fb"])
def test_a_name_never_leaves_the_folder(folder, name):
    """Whatever stands in it, and it is listed as it was given."""
    made = make_key(name)

    assert [path.parent for path in folder.iterdir()] == [folder]
    assert key_files() == [made]
    assert public_key_of(private_key(name)) == made.public_key


@pytest.mark.parametrize("name", ["", " ", " ada", "a" * 300, "\udcffda"])
def test_what_is_no_name_gets_no_key(name, folder):
    """The message says what a name is."""
    with pytest.raises(ConfigError, match="is no reviewer's name: 1 to 200 bytes"):
        make_key(name)

    assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_signs_nothing(mode):
    """The message holds the line that mends it."""
    path = make_key("ada").path
    path.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        private_key("ada")
    path.chmod(0o600)

    assert f"`chmod 600 {path}`" in str(refused.value)
    assert private_key("ada")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_key_that_is_roots_and_read_through_a_group_signs():
    """A Secret that Kubernetes mounts with `fsGroup` is such a file; what everybody can read still signs nothing."""
    made = make_key("ada")
    os.chown(made.path, 10002, 10001)
    made.path.chmod(0o440)
    signer = private_key("ada")
    made.path.chmod(0o444)
    with pytest.raises(ConfigError, match=r"others can read the key .*: let its owner take the permissions"):
        private_key("ada")

    assert public_key_of(signer) == made.public_key


def test_a_passphrase_opens_what_it_closed(monkeypatch):
    """Listing needs none."""
    made = make_key("ada", passphrase="of mine")
    with pytest.raises(ConfigError, match="set HITL_KEY_PASSPHRASE, or answer in a terminal"):
        private_key("ada")
    monkeypatch.setenv("HITL_KEY_PASSPHRASE", "another")
    with pytest.raises(ConfigError, match="the passphrase is wrong") as wrong:
        private_key("ada")
    monkeypatch.setenv("HITL_KEY_PASSPHRASE", "of mine")

    assert public_key_of(private_key("ada")) == made.public_key
    assert (key_files(), made.encrypted) == ([made], True)
    assert "another" not in str(wrong.value)


@pytest.mark.parametrize("body", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff\xfe"])
def test_a_damaged_key_is_named_and_its_content_is_not(body):
    """An error may land in a log."""
    path = make_key("ada").path
    path.write_bytes(body)
    with pytest.raises(ConfigError) as refused:
        private_key("ada")

    assert str(refused.value) == f"the key {path} does not open: it is damaged"


def test_another_kind_of_key_is_refused():
    """A key of an elliptic curve of another name is a key, and signs nothing here."""
    path = make_key("ada").path
    other = generate_private_key(SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match="is no Ed25519 key"):
        private_key("ada")


def test_a_missing_key_says_how_to_make_one():
    """And whom to tell."""
    with pytest.raises(ConfigError, match=r"make one with `hitl keys make ada` and have its line added"):
        private_key("ada")


def test_a_file_of_another_program_is_named(folder):
    """It is not passed over in silence."""
    folder.mkdir()
    (folder / "ada.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match=r"ada\.pem was not made by `hitl keys make`"):
        key_files()


def test_without_a_folder_named_keys_are_in_the_users_configuration(monkeypatch, tmp_path):
    """`$XDG_CONFIG_HOME`, or `~/.config`."""
    monkeypatch.delenv("HITL_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    by_variable = keys_folder()
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert (by_variable, keys_folder()) == (tmp_path / "hitl" / "keys", tmp_path / ".config" / "hitl" / "keys")


def test_the_printed_line_goes_into_a_policy_as_it_stands(capsys):
    """`hitl keys make` prints it; `hitl keys list` shows the same key."""
    app(["keys", "make", 'Ada "A" Ä'])
    line = capsys.readouterr().out.splitlines()[-1]
    app(["keys", "list", "--json"])
    policy = Policy.model_validate_json(f'{{"reviewer_keys": {{{line}}}}}')

    assert policy.reviewer_keys == {'Ada "A" Ä': key_files()[0].public_key}
    assert key_files()[0].public_key in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "code", "made"), [(["one", "one"], 0, [True]), (["one", "two"], 1, []), ([""], 1, [])]
)
def test_a_passphrase_is_typed_twice(typed, code, made):
    """In a real terminal; it is not shown, and a key with a mistyped one is not made."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hitl_prefect", "keys", "make", "ada", "--passphrase"]
    shown = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        for number, line in enumerate(typed, start=1):
            while shown.count(b": ") < number:  # what is typed before a prompt is thrown away
                shown += os.read(ours, 1000)
            os.write(ours, f"{line}\n".encode())
        process.wait(60)
    os.close(theirs)
    os.close(ours)

    assert (process.returncode, [one.encrypted for one in key_files()]) == (code, made)
    assert b"one" not in shown
