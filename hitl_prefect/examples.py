"""Which reviewed cases to show a model before a new one; needs the extra `learn`.

They are like the new case, unlike each other, rather corrected than approved, of different answers, and short enough;
none is the case itself or nearly so, since that would give its answer away.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hitl_prefect.alike import alike_key
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.example_sets import Reviewed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ExamplePool", "select_examples", "tokens_in"]

_NEARLY_SAME = 0.9
"""Cosine from which on two prompts are the same but for case, spaces or a few letters: 0.94 for "Please cancel my order
1234." without the full stop, 0.88 with another number."""
_LIKENESS = 0.7
"""What being like the case counts, against 1 less it for being unlike those chosen before."""
_CORRECTED = 0.15
"""What it is worth in likeness that a person corrected the draft: it shows what the model gets wrong."""
_SAME_ANSWER = 0.15
"""What the share of the chosen ones that have the same answer costs."""
_BYTES_PER_TOKEN = 4


def select_examples(
    prompt: str, reviewed: Sequence[Reviewed], *, k: int = 8, max_tokens: int = 2000
) -> tuple[Reviewed, ...]:
    """The most useful reviewed cases to show before a prompt; for many prompts make one `ExamplePool`.

    Args:
        prompt: The user's turn of the new case.
        reviewed: To choose from.
        k: At most so many.
        max_tokens: The most that they may take together, as `tokens_in` estimates.

    Returns:
        By case id, so that the same examples are always the same prompt: what a provider's cache needs.

    Raises:
        ConfigError: If `k` or `max_tokens` is below 1.
        MissingExtra: If scikit-learn is not installed.

    Source:
        Carbonell, Goldstein (1998), SIGIR: maximal marginal relevance.
    """
    return ExamplePool(reviewed).select(prompt, k=k, max_tokens=max_tokens)


def tokens_in(*texts: str) -> int:
    """About how many tokens texts have: a quarter of their bytes.

    >>> tokens_in("Where is my parcel?")
    5
    """
    return sum(-(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN) for text in texts)


class ExamplePool:
    """Reviewed cases, made ready once to be chosen from often.

    Args:
        reviewed: To choose from.

    Raises:
        MissingExtra: If scikit-learn is not installed.
    """

    def __init__(self, reviewed: Sequence[Reviewed]) -> None:
        self.reviewed = tuple(sorted(reviewed, key=lambda one: one.case_id))
        self._answers = [alike_key(one.answer, "same") for one in self.reviewed]
        self._tokens = [tokens_in(one.prompt, canonical_bytes(one.answer).decode()) for one in self.reviewed]
        self._vectors, self._rows = _vectors([one.prompt for one in self.reviewed])

    def select(self, prompt: str, *, k: int = 8, max_tokens: int = 2000) -> tuple[Reviewed, ...]:
        """As `select_examples`."""
        if k < 1 or max_tokens < 1:
            raise ConfigError(f"k={k}, max_tokens={max_tokens}: show at least one example, of at least one token")
        if not self.reviewed:
            return ()
        chosen = self._chosen(self._likeness(self._vectors.transform([prompt])), k, max_tokens)
        return tuple(self.reviewed[place] for place in sorted(chosen))

    def _chosen(self, likeness: "Floats", k: int, max_tokens: int) -> list[int]:
        import numpy as np

        chosen: list[int] = []
        corrected = np.array([_CORRECTED if one.corrected else 0.0 for one in self.reviewed])
        tokens, nearest, left = np.array(self._tokens), np.zeros(len(likeness)), max_tokens
        open_ = likeness < _NEARLY_SAME
        while len(chosen) < k and (open_ := open_ & (tokens <= left) & (nearest < _NEARLY_SAME)).any():
            worth = _LIKENESS * likeness - (1 - _LIKENESS) * nearest + corrected - self._crowding(chosen)
            place = int(np.argmax(np.where(open_, worth, -np.inf)))
            chosen.append(place)
            left -= self._tokens[place]
            open_[place] = False
            nearest = np.maximum(nearest, self._likeness(self._rows[[place]]))
        return chosen

    def _crowding(self, chosen: Sequence[int]) -> "Floats":
        """What each case loses since its answer is shown already."""
        import numpy as np

        shown = Counter(self._answers[place] for place in chosen)
        return np.array([_SAME_ANSWER * shown[one] / max(1, len(chosen)) for one in self._answers])

    def _likeness(self, vector: Any) -> "Floats":
        """The cosine of a prompt and each reviewed one, in [0, 1]."""
        found: Floats = (self._rows @ vector.T).toarray().ravel()
        return found


def _vectors(prompts: Sequence[str]) -> tuple[Any, Any]:
    """What turns prompts into rows of unit length, by runs of three to five letters within words; and their rows."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as exc:
        raise MissingExtra("choosing examples needs scikit-learn: pip install 'hitl_prefect[learn]'") from exc
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    # A line of its own, since prompts without any letter would leave no run to count.
    vectors.fit([*prompts, "any"])
    return vectors, vectors.transform(prompts) if prompts else None
