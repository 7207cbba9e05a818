import pickle

import pytest

from hitl_prefect import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]


def _made(kind):
    if kind is errors.RateLimited:
        return kind("slow down", 7.5)
    return kind(("a: wrong", "b: missing")) if kind is errors.AnswerRefused else kind("what happened; what to do")


@pytest.mark.parametrize("kind", CLASSES, ids=errors.__all__)
def test_every_error_survives_pickle(kind):
    """Errors cross processes: class, message and facts arrive."""
    error = _made(kind)
    arrived = pickle.loads(pickle.dumps(error))

    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))


def test_the_drawing_of_the_tree_is_the_tree():
    """Every class stands in the drawing at the top of the module, below its own base."""
    drawn = [line.split("──")[-1].split()[0] for line in errors.__doc__.splitlines() if "──" in line]

    assert sorted([*drawn, "HitlError"]) == sorted(errors.__all__)


def test_what_can_be_retried_says_so():
    """The tasks look at nothing else."""
    retryable = {kind.__name__ for kind in CLASSES if kind.retryable}

    assert retryable == {"TryAgain", "RateLimited", "ProviderUnavailable", "StoreUnavailable", "ServerUnreachable"}
