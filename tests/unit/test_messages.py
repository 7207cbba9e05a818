"""What a model is shown."""

import base64

import pytest
from pydantic import ValidationError

from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Image, Message, conversation
from tests.unit.making import a_case

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.mark.parametrize(
    ("picture", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF0000WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_told_by_its_first_bytes(tmp_path, picture, media_type):
    """Not by the name of its file."""
    (tmp_path / "picture.txt").write_bytes(picture)

    assert Image.from_file(tmp_path / "picture.txt") == Image(
        data=base64.b64encode(picture).decode(), media_type=media_type
    )


def test_what_is_no_picture_is_refused_with_the_next_step(tmp_path):
    with pytest.raises(ConfigError, match="convert it first"):
        Image.from_bytes(b"%PDF-1.7")
    with pytest.raises(ConfigError, match="cannot read the image"):
        Image.from_file(tmp_path / "nowhere.png")
    with pytest.raises(ConfigError, match="make it smaller"):
        Image.from_bytes(PNG + bytes(20 * 1024 * 1024))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": "https://example.com/a.png", "data": "AAAA", "media_type": "image/png"},
        {"data": "AAAA"},
        {"data": "not base64!", "media_type": "image/png"},
        {"url": "file:///etc/passwd"},
    ],
)
def test_an_image_has_one_source_and_no_file_of_the_workers_machine(fields):
    with pytest.raises(ValidationError):
        Image(**fields)


def test_a_conversation_with_an_image_survives_json_and_names_the_prompt():
    """The hash covers the picture; text alone hashes as it always did."""
    turns = (Message(role="user", content=("Which shop?", Image.from_bytes(PNG))),)
    case = a_case(prompt=turns)

    assert type(case).model_validate_json(case.model_dump_json()).messages == turns
    assert case.prompt_sha256 != a_case(prompt=(Message(role="user", content="Which shop?"),)).prompt_sha256


def test_people_read_an_image_in_words():
    """Never the picture itself: it would fill the form, and a remote one would be fetched."""
    shown = Message(role="user", content=("Which shop?", Image.from_bytes(PNG))).text

    assert shown == "Which shop?\n[image/png, 28 bytes, sha256 1e044b438d24]"


def test_only_users_show_images():
    with pytest.raises(ValidationError, match="put it into a turn of the user"):
        Message(role="system", content=(Image(url="https://example.com/a.png"),))


def test_a_prompt_is_one_turn_of_the_user():
    assert conversation("Why?") == (Message(role="user", content="Why?"),)
