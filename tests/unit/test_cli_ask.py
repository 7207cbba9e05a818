"""`hitl ask`: try a model, and see how sure it is."""

import json

import pytest

from hitl_prefect.cli import main
from hitl_prefect.models import Usage
from hitl_prefect.providers.scripted import Step, register

YES = '{"answer": "yes", "confidence": 0.75}'


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["ask", *arguments])
    return ended.value.code


def test_it_shows_the_answer_each_scorer_and_the_confidence(capsys):
    register("asked", [Step(text=YES, usage=Usage(input_tokens=12, output_tokens=7))])

    assert run("Is it?", "--model", "scripted:asked") == 0
    answer, _, *table = capsys.readouterr().out.splitlines()
    assert answer == "yes"
    assert table[1].split() == ["stated", "0.75"]
    assert table[-2] == "Confidence: 0.75 = stated"
    assert table[-1].startswith("12 tokens in, 7 out, ")


def test_streamed_text_arrives_in_pieces_and_does_nothing_to_the_terminal(capsys):
    """What a model wrote is data: an escape sequence is written out."""
    register("hostile", ['{"answer": "a \\u001b[31m b"} \x1b[2J'])

    assert run("Is it?", "--model", "scripted:hostile", "--stream") == 1
    assert "\x1b" not in (written := capsys.readouterr().out)
    assert written.startswith('{"answer": "a \\u001b[31m b"} \\x1b[2J')


def test_json_is_for_programs(capsys):
    register("json", [YES])

    assert run("Is it?", "--model", "scripted:json", "--stream", "--json") == 0
    out, aside = capsys.readouterr()
    assert (json.loads(out)["score"]["confidence"], aside) == (0.75, YES)


def test_choices_and_images_become_the_case(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n")
    script = register("seen", ['{"answer": "b"}'])

    run("Which?", "--model", "scripted:seen", "--choice", "a", "--choice", "b", "--image", str(tmp_path / "a.png"))

    [request] = script.requests
    assert request.answer.__args__ == ("a", "b")
    assert request.messages[0].text.splitlines()[1].startswith("[image/png, 6 bytes")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "scripted:x", "--scorer", "guess"), "there is no scorer 'guess'; there is stated, "),
        (("--model", "nobody:x"), "names no known provider"),
        (("--model", "scripted:x", "--image", "nowhere.png"), "cannot read the image"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_step(capsys, arguments, says):
    assert run("Is it?", *arguments) == 1
    assert says in capsys.readouterr().err
