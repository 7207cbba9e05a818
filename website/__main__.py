"""Build the site strictly and check it: `python -m website`, in the folder of `zensical.toml`."""

import subprocess
import sys
from pathlib import Path

from website.checks import problems_of


def main() -> int:
    """Exit code 0 where all is well; 1 where the builder warned, or a check found something."""
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    sys.stdout.write(built.stdout)
    # What is wrong with a docstring is told as a warning that even a strict build lets pass.
    if built.returncode or "WARNING" in built.stdout:
        return 1
    problems = problems_of(Path.cwd(), Path.cwd() / "site")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
