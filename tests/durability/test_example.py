"""examples/kill_the_worker.py does on both databases what it says."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.durability.audit import check_audit

EXAMPLE = Path(__file__).parents[2] / "examples" / "kill_the_worker.py"


def test_a_thousand_tasks_survive_two_kills(url: str, deaths: Counter[str]) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLE, url], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1000 submitted, 1000 different ids" in run.stdout
    assert run.stdout.endswith("Every task that was answered with 202 is now: succeeded.\n")
    assert check_audit(url) == 1_000
    deaths["commands"] += 2
