"""Runs every suite of tests/, fast ones first, and beside them the quick ones on each other Python here."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
QUICK = ("unit", "properties", "contracts", "api")
# Any other folder that holds tests comes after these.
ORDER = (*QUICK, "docs", "e2e", "browser", "wheel")
LOCK = "quick.txt"  # all but TensorFlow: 1.3 GB that no quick suite loads
MINORS = range(11, 15)


@dataclass(frozen=True)
class SuiteResult:
    """What one suite said, and how long it took."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether something ran and nothing failed."""
        return self.passed > 0 and self.failed == 0


def find_suites() -> list[str]:
    """Names of the folders of tests/ that hold tests, in the order they run."""
    found = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def run_suite(python: Path, suite: str, label: str, *, is_beside: bool = False) -> SuiteResult:
    """Run one suite; its own output goes to the terminal, of one beside others only where it fails."""
    if not is_beside:
        print(f"== {label}", flush=True)
    CACHE.mkdir(exist_ok=True)
    report = CACHE / f"junit of {label}.xml"
    report.unlink(missing_ok=True)
    start = time.monotonic()
    command = [str(python), "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", f"tests/{suite}"]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE if is_beside else None,
        stderr=subprocess.STDOUT,
    )
    code = ended.returncode
    if is_beside:
        said = ended.stdout.decode(errors="replace") if code else ""
        print(f"== {label} {'FAILED' if code else 'passed'}\n{said}", end="", flush=True)
    seconds = time.monotonic() - start
    count = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    if report.exists():
        for key in count:
            count[key] = sum(int(element.get(key, 0)) for element in ET.parse(report).iter("testsuite"))  # noqa: S314 our own file
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return SuiteResult(label, passed, failed or int(code != 0), count["skipped"], seconds)


def probe(python: Path) -> tuple[int, str] | None:
    """Minor version and real path of an interpreter that starts and can make an environment, else None."""
    code = "import ensurepip, ssl, sys, venv; print(sys.version_info.minor, sys.executable)"
    try:
        answer = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    minor, executable = answer.stdout.strip().split(" ", 1)
    return int(minor), executable


def find_other_pythons() -> dict[int, str]:
    """An interpreter for each supported minor version, other than ours, that this machine can start."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    found: dict[int, str] = {}
    for minor in set(MINORS) - {sys.version_info.minor}:
        candidates = [folder / f"python3.{minor}" for folder in folders]
        answers = (probe(candidate) for candidate in candidates if candidate.exists())
        if answer := next((answer for answer in answers if answer and answer[0] == minor), None):
            found[minor] = answer[1]
    return dict(sorted(found.items()))


def make_environment(minor: int, executable: str) -> Path:
    """The Python of a cached environment that holds the locks' versions, made anew when the lock changes."""
    folder = CACHE / f"py3.{minor}"
    python = folder / "bin" / "python"
    stamp = folder / "lock.sha256"
    lock = ROOT / "requirements" / LOCK
    wanted = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(
        f"== Python 3.{minor}: installing from requirements/{LOCK} into {folder.relative_to(ROOT)}",
        flush=True,
    )
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([executable, "-m", "venv", folder], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    stamp.write_text(wanted)
    return python


def run_other_pythons(suites: Sequence[str]) -> list[SuiteResult]:
    """Run the quick suites on each of them, one after the other."""
    results = []
    for minor, executable in find_other_pythons().items():
        start = time.monotonic()
        try:
            python = make_environment(minor, executable)
        except subprocess.CalledProcessError:
            results.append(SuiteResult(f"install, Python 3.{minor}", 0, 1, 0, time.monotonic() - start))
            continue
        results += [
            run_suite(python, suite, f"{suite}, Python 3.{minor}", is_beside=True)
            for suite in suites
            if suite in QUICK
        ]
    return results


def main() -> int:
    """Run all; print a line for each suite and one for all; 1 where anything failed."""
    suites = find_suites()
    own = f"3.{sys.version_info.minor}"
    began = time.monotonic()
    # Many tests wait more than they compute: beside each other they take little more than one of them.
    with ThreadPoolExecutor(1) as beside:
        others = beside.submit(run_other_pythons, suites)
        results = [run_suite(Path(sys.executable), suite, f"{suite}, Python {own}") for suite in suites]
        results += others.result()
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        verdict = "passed" if result.is_good else "FAILED"
        print(f"{result.name:<{width}}  {verdict}  {result.passed:>5} tests  {result.seconds:7.1f} s")
    parts = {
        "failed": sum(result.failed for result in results),
        "passed": sum(result.passed for result in results),
        "skipped": sum(result.skipped for result in results),
    }
    total = ", ".join(f"{n} {word}" for word, n in parts.items() if n) or "no tests"
    print(f"==== {total} in {time.monotonic() - began:.1f}s ====")
    return int(not results or not all(result.is_good for result in results))


if __name__ == "__main__":
    sys.exit(main())
