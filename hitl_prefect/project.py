"""The files of a user's own project: in the wheel as data, in a checkout beside the package."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen

__all__ = ["LaidOut", "lay_out", "project_folder"]

_PACKAGE = Path(__file__).parent
_SHIPPED = ("flows", "blocks", "deployments", "constraints.txt")


class LaidOut(Frozen):
    """One file of a new project."""

    path: str
    """Below the project's folder, with `/` between."""
    does: Literal["create", "nothing"]
    """`nothing` where the same file is there already."""


def project_folder() -> Path:
    """The folder that holds `flows/`, `blocks/`, `deployments/` and `constraints.txt`."""
    shipped = _PACKAGE / "data" / "project"
    return shipped if shipped.is_dir() else _PACKAGE.parent


def lay_out(folder: Path, *, dry_run: bool = False) -> list[LaidOut]:
    """Write a user's own project into a folder; safe to run twice, and nothing is ever overwritten.

    Args:
        folder: Made where it is missing. What is hidden in it, such as `.git` and `.venv`, may stay there.
        dry_run: Write nothing.

    Returns:
        Every file of the project, sorted.

    Raises:
        ConfigError: If something else is in the folder, or it cannot be written to. Before anything is written, unless
            another process writes there too.
    """
    files = _files()
    try:
        _refuse_others(folder, files)
        laid = [_lay(folder / path, source, dry_run=dry_run) for path, source in files.items()]
    except OSError as exc:
        raise ConfigError(f"{str(folder)!r} cannot be laid out ({exc}): name another folder") from exc
    return [LaidOut(path=path, does=does) for path, does in zip(files, laid, strict=True)]


def _files() -> dict[str, Path]:
    """Where each file of a new project comes from, by its path in there."""
    own = _PACKAGE / "data" / "init"
    found = {path.relative_to(own).as_posix(): path for path in _below(own)}
    for name in _SHIPPED:
        place = project_folder() / name
        found |= {path.relative_to(place.parent).as_posix(): path for path in _below(place)}
    return dict(sorted(found.items()))


def _below(place: Path) -> Iterator[Path]:
    """The file itself, or every file below a folder but for what Python compiled."""
    for path in [place, *place.rglob("*")]:
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _refuse_others(folder: Path, files: dict[str, Path]) -> None:
    """Raise where the folder holds anything that is not ours, or that ours would be written through."""
    above = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    for top in folder.iterdir() if folder.exists() else ():
        is_hidden = top.name.startswith(".")
        if is_hidden and top.name not in above | files.keys():
            continue
        for path in [top, *top.rglob("*")]:
            name = path.relative_to(folder).as_posix()
            if not _may_stay(path, files.get(name), may_be_others=is_hidden and name not in above):
                raise _in_the_way(path)


def _may_stay(path: Path, source: Path | None, *, may_be_others: bool) -> bool:
    if source is None:
        return may_be_others or (path.is_dir() and not path.is_symlink())
    return path.is_file() and not path.is_symlink() and path.read_bytes() == source.read_bytes()


def _in_the_way(path: Path) -> ConfigError:
    return ConfigError(
        f"{str(path)!r} stands in the way: a project is laid out in an empty folder, and nothing is overwritten. "
        "Name another folder, or move it away"
    )


def _lay(path: Path, source: Path, *, dry_run: bool) -> Literal["create", "nothing"]:
    if path.exists():
        return "nothing"
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusively: what came there since we looked stays as it is.
        with path.open("xb") as file:
            file.write(source.read_bytes())
        # Scripts can be run.
        path.chmod(path.stat().st_mode | source.stat().st_mode & 0o111)
    return "create"
