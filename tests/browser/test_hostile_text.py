"""What a model or a case wrote is shown as text: nothing of it is fetched, run or rendered."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Asked
from tests.browser.pages import ResumeForm
from tests.servers.listening import Mailbox, mailbox


@pytest.fixture
def canary() -> Iterator[Mailbox]:
    """A loopback server that must never be asked for anything."""
    with mailbox() as made:
        yield made


def hostile(url: str) -> str:
    """Every way out of a code block, into markup, and into a request that we could think of."""
    return "\n".join(
        (
            "````",
            "~~~",
            f"![a]({url}/image-markdown)",
            f"<img src={url}/image-html onerror=\"fetch('{url}/onerror')\">",
            f"<script>fetch('{url}/script')</script>",
            f"</code></pre></div><iframe src={url}/iframe></iframe>",
            f"[click](javascript:fetch('{url}/link)') <{url}/autolink> {url}/bare",
            f"<style>@import url({url}/style)</style><details open><summary>s</summary></details>",
            f"[ref]: {url}/reference",
            f"| a | ![b]({url}/cell) `` ` |",
            "``````text",
            "bidi \u202e reversed \u2066 isolate, zero \u200b width, ansi \x1b[31m red, null \x00, bell \x07",
            "{{ 7 * 7 }} {% include 'x' %}",
            "# Heading",
        )
    )


def test_hostile_text_is_only_text(ask: Callable[..., Asked], ui: ResumeForm, canary: Mailbox) -> None:
    """In the prompt, the draft, the problems, the rule and the errors: no request, no live element."""
    text = hostile(canary.url)

    ask(
        str,
        text,
        prompt=text,
        problems=(text,),
        detail=text,
        errors=(text,),
        typed={"decision": "edit", "answer": text},
    )
    description = ui.description
    expect(description).to_contain_text("\\u202e reversed")
    expect(description).to_contain_text("\\x1b[31m red")

    assert description.locator("a, img, script, iframe, style, details, video, audio, object, embed, svg").count() == 0
    assert description.locator("h1").count() == 0
    assert description.inner_text().count("{{ 7 * 7 }}") >= 3
    ui.page.goto(f"{canary.url}/asked-on-purpose")
    assert canary.sent[0].path == "/asked-on-purpose"


def test_the_description_can_be_read(ask: Callable[..., Asked], ui: ResumeForm) -> None:
    """Why, how sure, the prompt and the draft stand above a form that leaves them room."""
    ask(str, "The answer is 42.", prompt="What is six times seven?")

    expect(ui.description).to_be_visible()
    expect(ui.description).to_contain_text("The confidence is below the bar.")
    expect(ui.description.get_by_text("What is six times seven?")).to_be_visible()
    expect(ui.description.get_by_text("The answer is 42.")).to_be_visible()
    assert ui.titles() == ["Decision", "Answer", "Guidance", "Reason", "Reviewer"]
