"""Verifying a package before it is loaded: in a child with limits."""

import sys

import msgspec
import numpy as np

from flagrank.scoring.columns import Matrix
from flagrank.scoring.package import Golden, Package, Row
from flagrank.scoring.session import CHUNK_ROWS, ModelSession
from flagrank.scoring.trial import MEMORY_BYTES, limit_trial, run_trial
from flagrank.triage.errors import PackageRefused

GOLDEN_TOLERANCE = 1e-5  # processors differ in the last bits
SECONDS = 30
ROWS_ALONE = 256  # golden rows that are scored one by one too


class _Order(msgspec.Struct):
    """What the child is asked to check, beside the graph that follows on the next line."""

    feature_names: tuple[str, ...]
    golden: Golden
    seconds: int


class _Verdict(msgspec.Struct):
    """What the child found: a refusal, or None."""

    refusal: str | None


def verify_package(package: Package, seconds: int = SECONDS) -> None:
    """Load and run a package's graph in a child of 2 GiB and so many seconds. Blocks for about a second.

    Raises `PackageRefused` where the graph does not load, exceeds the limits, or misses its golden rows.
    """
    order = _Order(package.manifest.schema.names, package.golden, seconds)
    given = (msgspec.json.encode(order), b"\n", package.model)
    too_slow = f"model.onnx did not score its golden rows within {seconds} s. Make a smaller model."
    with run_trial(__name__, given, seconds, too_slow=too_slow) as (answer, exit_code):
        said = answer.read()
    try:
        verdict = msgspec.json.decode(said, type=_Verdict)
    except msgspec.DecodeError as error:
        raise PackageRefused(
            f"model.onnx ended its trial process (exit {exit_code}), which may use "
            f"{MEMORY_BYTES // 2**30} GiB of memory and {seconds} s. Make a smaller model, or "
            "use none whose maker you don't know."
        ) from error
    if verdict.refusal:
        raise PackageRefused(verdict.refusal)


def open_session(package: Package) -> ModelSession:
    """Load a package that was verified, and warm it by its golden rows.

    Blocks for some 20 ms, of which other threads of the process go short; raises `PackageRefused`.
    """
    session = ModelSession(package.model, package.manifest.schema.names)
    _check_scores(session, package.golden)
    return session


def rows_to_matrix(rows: tuple[Row, ...]) -> Matrix:
    """Rows as a package stores them, null for NaN. Returns (n, f) float32."""
    return np.array(rows, dtype=np.float64).astype(np.float32)


def check_golden(session: ModelSession, golden: Golden) -> None:
    """Raise `PackageRefused` where a session misses the native scores, or mixes the rows of a batch."""
    some = _check_scores(session, golden)[:ROWS_ALONE]
    alone = np.concatenate([session.score(row[np.newaxis]) for row in some])
    together = session.score(np.resize(some, (CHUNK_ROWS, some.shape[1])))[: len(some)]
    if not np.array_equal(alone, together):
        raise PackageRefused(
            "model.onnx scores a row differently in a batch than alone. Remove what mixes rows."
        )


def _check_scores(session: ModelSession, golden: Golden) -> Matrix:
    """The golden rows (n, f), whose native scores the session gives."""
    matrix = rows_to_matrix(golden.rows)
    difference = float(np.max(np.abs(session.score(matrix) - np.array(golden.scores))))
    if not difference <= GOLDEN_TOLERANCE:
        raise PackageRefused(
            f"model.onnx misses its golden rows by {difference:.2g} (at most {GOLDEN_TOLERANCE:g}). "
            "Export the model again."
        )
    return matrix


def _main() -> None:
    """The child: limits first, then the order and the graph from standard input."""
    limit_trial(file_bytes=2**20)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Order)
    limit_trial(order.seconds)
    refusal = None
    try:
        check_golden(ModelSession(sys.stdin.buffer.read(), order.feature_names), order.golden)
    except PackageRefused as error:
        refusal = error.detail
    sys.stdout.buffer.write(msgspec.json.encode(_Verdict(refusal)))


if __name__ == "__main__":
    _main()
