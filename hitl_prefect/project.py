"""Where the flows, blocks and deployments are: in the wheel as data, in a checkout beside the package."""

from pathlib import Path

__all__ = ["project_folder"]


def project_folder() -> Path:
    """The folder that holds `flows/`, `blocks/` and `deployments/`."""
    package = Path(__file__).parent
    shipped = package / "data" / "project"
    return shipped if shipped.is_dir() else package.parent
