"""Mails whose answer is a code that only an example can tell."""

from typing import Literal

from hitl_prefect.example_sets import Reviewed

Code = Literal["A-1", "B-7", "D-2", "?"]


def case(name: str, prompt: str, answer: str = "?", *, corrected: bool = False) -> Reviewed:
    return Reviewed(case_id=name, prompt=prompt, answer=answer, corrected=corrected)


MAILS = (
    case("a", "Where is my parcel? It should have come on Monday.", "D-2"),
    case("b", "I forgot the password of my account.", "A-1"),
    case("c", "The parcel never arrived at our house in Kent.", "D-2"),
    case("d", "Please send the invoice of March once more.", "B-7"),
    case("e", "Our parcel came broken, with a wet box.", "R-9"),
)
