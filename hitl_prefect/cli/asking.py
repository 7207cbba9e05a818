"""`hitl ask`: try a model, and see how sure it is, without Prefect."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, table, write
from hitl_prefect.direct import Drafted, draft_and_score
from hitl_prefect.errors import ConfigError
from hitl_prefect.inert import visible
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Case
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import OnText

__all__ = ["ask"]

_NO_CASE = "no-case"


async def ask(
    prompt: str,
    *,
    model: str,
    instructions: str = "",
    choice: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    image: Annotated[tuple[Path, ...], Parameter(negative=())] = (),
    scorer: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    second_model: str = "auto",
    stream: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Ask a model once, and show how sure each scorer is of its answer. Nothing is stored.

    Args:
        prompt: What to ask.
        model: provider:name, such as openai:gpt-5-mini.
        instructions: The system prompt.
        choice: An answer to choose from; repeat it. None means free text.
        image: A picture to show with the prompt; repeat it.
        scorer: A scorer that counts; repeat it for their mean: stated, probability, logprob, logprob_min,
            logprob_decision, logprob_fields, schema, grounding, hedging, agreement, semantic_entropy, p_true, judge,
            decisions. None means the default for the model.
        second_model: Who is asked for a second opinion, as provider:name; none for nobody. Default: a small model of
            the other of OpenAI and Anthropic, where its key is in the environment.
        stream: Show the text as it arrives.
        json: Print JSON, and the text that arrives to stderr.
    """
    case = Case(id=_NO_CASE, task="ask", prompt=_turns(prompt, instructions, image), answer=_one_of(choice))
    drafted = await draft_and_score(
        case, model=model, policy=_policy(scorer, second_model), on_text=_writer(aside=json) if stream else None
    )
    if json:
        print_json(drafted)
    else:
        _tell(drafted, streamed=stream)
    return 0 if drafted.generation.status == "ok" else 1


def _turns(prompt: str, instructions: str, images: tuple[Path, ...]) -> tuple[Message, ...]:
    pictures = tuple(Image.from_file(path) for path in images)
    user = Message(role="user", content=(prompt, *pictures) if pictures else prompt)
    return (Message(role="system", content=instructions), user) if instructions else (user,)


def _one_of(choices: tuple[str, ...]) -> Any:
    return Literal[choices] if choices else str


def _policy(scorers: tuple[str, ...], second_model: str) -> Policy:
    second = None if second_model == "none" else second_model
    try:
        return Policy.model_validate({"scorers": scorers, "combine": "mean", "second_model": second})
    except ValidationError as exc:
        raise ConfigError("; ".join(problems_of(exc))) from exc


def _writer(*, aside: bool) -> OnText:
    """Prints what is new of the text so far, so that it can do nothing to the terminal."""
    written = 0

    def on_text(text: str) -> None:
        nonlocal written
        write(visible(text[written:]), aside=aside)
        written = len(text)

    return on_text


def _tell(drafted: Drafted, *, streamed: bool) -> None:
    generation, score = drafted.generation, drafted.score
    if streamed:
        say("\n")
    say(visible(generation.text if generation.answer is None else f"{generation.answer}"))
    for problem in generation.problems:
        say_aside(f"{generation.status}: {problem}")
    told = [part for part in score.parts if part.confidence is not None or part.name in score.combined]
    rows = [{"scorer": one.name, "confidence": one.confidence, "why": visible(one.reason)} for one in told]
    sure = "nobody can tell" if score.confidence is None else f"{score.confidence:.2f}"
    say(f"\n{table(rows)}\n\nConfidence: {sure} = {score.combined}")
    say(", ".join(_facts(drafted)))


def _facts(drafted: Drafted) -> list[str]:
    usage, latency_s = drafted.generation.usage, drafted.generation.latency_s
    tokens = "" if usage.input_tokens is None else f"{usage.input_tokens} tokens in, {usage.output_tokens} out"
    costs = (drafted.generation.cost_usd, drafted.score.cost_usd)
    known = [cost for cost in costs if cost is not None]
    cost = f"{sum(known):.6f} USD" if len(known) == len(costs) else "no price known"
    return [fact for fact in (tokens, f"{latency_s:.1f} s" if latency_s is not None else "", cost) if fact]
