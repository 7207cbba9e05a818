"""Answer types by name, so that another process finds the same type again."""

import importlib
import importlib.util
import inspect
import json
import sys
from functools import reduce
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from hitl_prefect.errors import ConfigError
from hitl_prefect.inert import short

__all__ = ["answer_named", "name_of_answer"]

_PLAIN: dict[str, type] = {"text": str, "whole number": int, "number": float, "truth value": bool}
_CHOICES = "one of "
_WRITTEN = (str, int, bool, type(None))


def name_of_answer(answer: Any) -> str:
    """What names an answer type in any process that has the same code.

    Args:
        answer: `str`, `int`, `float`, `bool`, a `Literal`, or something that stands in a module under a name.

    Returns:
        In words, or `module:Name`, or `folder/file.py:Name` where the module was run as a script.

    Raises:
        ConfigError: If no other process could find it.

    >>> name_of_answer(str), name_of_answer(Literal["yes", "no"])
    ('text', 'one of ["yes", "no"]')
    """
    if (plain := next((name for name, one in _PLAIN.items() if one is answer), None)) is not None:
        return plain
    if get_origin(answer) is Literal and all(type(one) in _WRITTEN for one in get_args(answer)):
        return _CHOICES + json.dumps(get_args(answer), ensure_ascii=False)
    return _importable(answer)


def answer_named(name: str) -> Any:
    """The answer type of a name.

    Raises:
        ConfigError: If there is no such module, file or name here.

    >>> answer_named("whole number"), answer_named('one of ["yes", "no"]')
    (<class 'int'>, typing.Literal['yes', 'no'])
    """
    if name in _PLAIN:
        return _PLAIN[name]
    try:
        return _choices(name) if name.startswith(_CHOICES) else _found(name)
    except (ImportError, AttributeError, OSError, RecursionError, SyntaxError, TypeError, ValueError) as exc:
        raise ConfigError(
            f"the answer type {short(name)!r} is not found here ({exc}): start the worker in the folder of the project "
            "that opened the review, with the same code"
        ) from exc


def _choices(name: str) -> Any:
    choices = json.loads(name.removeprefix(_CHOICES))
    if not isinstance(choices, list) or not choices or any(type(one) not in _WRITTEN for one in choices):
        raise ValueError("it lists no choices")
    return Literal[tuple(choices)]


def _found(name: str) -> Any:
    """What stands under a name; a function is none, since pydantic would call it with what somebody answers."""
    place, _, inner = name.rpartition(":")
    found = reduce(getattr, inner.split("."), _module(place))
    if inspect.isroutine(found) or inspect.ismodule(found):
        raise TypeError(f"it is a {type(found).__name__} and no type")
    return found


def _importable(answer: Any) -> str:
    inner, module = getattr(answer, "__qualname__", ""), sys.modules.get(getattr(answer, "__module__", ""))
    # What stands under the name, and not only something that bears it: `list[str]` calls itself `list`.
    if module is None or not inner or _within(module, inner) is not answer:
        raise ConfigError(
            f"answer={answer!r} has no name under which a worker could find it: define it at the top of a module"
        )
    place = module.__name__ if _is_importable(module) else _file_of(module, answer)
    return f"{place}:{inner}"


def _within(outer: Any, inner: str) -> Any:
    return reduce(lambda found, name: getattr(found, name, None), inner.split("."), outer)


def _is_importable(module: ModuleType) -> bool:
    """Whether its name imports it elsewhere too: not so for a script, nor for what Prefect loads from a file."""
    name, spec = module.__name__, module.__spec__
    if name == "__main__" or spec is None or name.startswith("__prefect_loader"):
        return False
    path = Path(spec.origin or "").resolve()
    return not _is_script(spec) and not _is_beside_a_script(name, path)


def _is_script(spec: ModuleSpec) -> bool:
    """Whether Prefect ran the file: named after it, and with places for submodules though it is no package."""
    return spec.submodule_search_locations is not None and Path(spec.origin or "").name != "__init__.py"


def _is_beside_a_script(name: str, path: Path) -> bool:
    """Whether it is found only because Prefect put the folder of a flow in front of `sys.path`, in this process."""
    if "." in name or "site-packages" in path.parts or not path.is_relative_to(Path.cwd()):
        return False
    return path.parent not in (Path.cwd(), Path.cwd() / name)


def _file_of(module: ModuleType, answer: Any) -> str:
    path = Path(getattr(module, "__file__", None) or "")
    if not path.name or not path.resolve().is_relative_to(Path.cwd()):
        raise ConfigError(
            f"answer={answer!r} stands in no file below {str(Path.cwd())!r}: move it to a module that can be imported"
        )
    return path.resolve().relative_to(Path.cwd()).as_posix()


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = (Path.cwd() / place).resolve()
    if not path.is_relative_to(Path.cwd()):
        raise ImportError(f"{place} is not below {Path.cwd()}")
    return _loaded(path)


def _loaded(path: Path) -> ModuleType:
    """The module of a file, loaded once per process."""
    name = f"hitl_answers_{path.as_posix().encode().hex()}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
