"""What is said of the audit of dependencies: clean, vulnerable, or not known, which is never clean."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[3] / ".ci" / "audit"
CLEAN = {"name": "httpx", "version": "1.0", "vulns": []}
FLAW = {"name": "yaml", "version": "5.3", "vulns": [{"id": "CVE-2020-14343", "fix_versions": ["5.4"]}]}
SKIPPED = {"name": "boto3", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("found", "code", "says"),
    [
        ([CLEAN, CLEAN], 0, "2 versions, 0 known vulnerabilities, 0 not asked about."),
        ([CLEAN, FLAW], 1, "yaml 5.3: CVE-2020-14343, fixed in 5.4"),
        ([CLEAN, SKIPPED], 1, "boto3: not asked about: Dependency not found on PyPI"),
        ([SKIPPED, SKIPPED], 3, "Not audited: the service knows none of 2 packages"),
        ([], 1, "0 versions"),
    ],
    ids=["clean", "vulnerable", "in part", "a mirror without advisories", "nothing"],
)
def test_only_what_was_asked_about_is_clean(found, code, says, tmp_path):
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"dependencies": found}))
    done = subprocess.run([sys.executable, AUDIT, "--report", report], capture_output=True, text=True)

    assert done.returncode == code
    assert says in done.stdout
