"""Commands as an operator runs them: a process, its exit code, and what it says."""

import json
import os
import subprocess
from typing import Any

from tests.api.running_server import FLAGRANK, make_environment

PATIENCE_SECONDS = 60
# root may write anywhere, unless it lays this down
_ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def run(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run `flagrank` with settings by environment."""
    return _run([FLAGRANK, *map(str, arguments)], settings)


def run_ordinary(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    """The same for a user whom file permissions bind."""
    before = _ORDINARY if os.geteuid() == 0 else ()
    return _run([*before, FLAGRANK, *map(str, arguments)], settings)


def check_refusal(done: subprocess.CompletedProcess[str], said: str) -> None:
    """Exit code 1, exactly this sentence on standard error, and nothing else."""
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{said}\n")


def read_json(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - any JSON value
    """The document that a command which succeeded has printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _run(command: list[str], settings: dict[str, object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=make_environment(settings),
    )
