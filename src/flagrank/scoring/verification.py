"""Verifying a package before it is loaded: in a child process with limits, since a graph of 137 bytes can ask for 8 GB."""

import resource
import subprocess
import sys
import tempfile

import msgspec
import numpy as np

from flagrank.scoring.columns import Matrix
from flagrank.scoring.package import Golden, Package, Row
from flagrank.scoring.session import CHUNK_ROWS, ModelSession
from flagrank.triage.errors import PackageRefused

GOLDEN_TOLERANCE = 1e-5  # processors differ in the last bits
MEMORY_BYTES = 2 * 2**30
SECONDS = 30


class _Order(msgspec.Struct):
    """What the child is asked to check."""

    model: bytes
    feature_names: tuple[str, ...]
    golden: Golden


class _Verdict(msgspec.Struct):
    """What the child found: a refusal, or None."""

    refusal: str | None


def verify_package(package: Package) -> None:
    """Load and run a package's graph in a child of at most 2 GiB and 30 s. Blocks for about half a second.

    Raises `PackageRefused` where the graph does not load, needs more than the limits, or misses its golden rows.
    """
    order = _Order(package.model, package.manifest.schema.names, package.golden)
    with tempfile.TemporaryDirectory() as empty:  # a path in the graph finds nothing beside it
        try:
            child = subprocess.run(  # noqa: S603 - our own module, no shell
                [sys.executable, "-P", "-m", __name__],
                input=msgspec.msgpack.encode(order),
                capture_output=True,
                cwd=empty,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PackageRefused(f"model.onnx did not score its golden rows within {SECONDS} s. Make a smaller model.") from error
    try:
        verdict = msgspec.json.decode(child.stdout, type=_Verdict)
    except msgspec.DecodeError as error:
        raise PackageRefused(
            f"model.onnx ended its trial process (exit {child.returncode}), which may use {MEMORY_BYTES // 2**30} GiB of memory "
            f"and {SECONDS} s. Make a smaller model, or do not use this one if you don't know who made it."
        ) from error
    if verdict.refusal:
        raise PackageRefused(verdict.refusal)


def rows_to_matrix(rows: tuple[Row, ...]) -> Matrix:
    """Rows as a package stores them, null for NaN. Returns (n, f) float32."""
    return np.array(rows, dtype=np.float64).astype(np.float32)


def check_golden(session: ModelSession, golden: Golden) -> None:
    """Raise `PackageRefused` where a session does not give the native model's scores, or mixes the rows of a batch."""
    matrix = rows_to_matrix(golden.rows)  # (n, f)
    scores = session.score(matrix)
    if not np.all((scores > 0) & (scores < 1)):
        raise PackageRefused("model.onnx gives scores outside (0, 1) on its golden rows. Calibrate it inside the graph.")
    difference = float(np.max(np.abs(scores - np.array(golden.scores))))
    if not difference <= GOLDEN_TOLERANCE:
        raise PackageRefused(
            f"model.onnx misses its golden rows by {difference:.2g} (at most {GOLDEN_TOLERANCE:g}). Export the model again."
        )
    alone = np.concatenate([session.score(row[np.newaxis]) for row in matrix])
    together = session.score(np.resize(matrix, (CHUNK_ROWS, matrix.shape[1])))[: len(matrix)]
    if not np.array_equal(alone, together):
        raise PackageRefused("model.onnx scores a row differently in a batch than alone. Remove what mixes rows, and export again.")


def _main() -> None:
    """The child: limits first, then the order from standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Order)
    refusal = None
    try:
        check_golden(ModelSession(order.model, order.feature_names), order.golden)
    except PackageRefused as error:
        refusal = error.detail
    sys.stdout.buffer.write(msgspec.json.encode(_Verdict(refusal)))


if __name__ == "__main__":
    _main()
