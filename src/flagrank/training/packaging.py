"""What a package holds beside its graph, and writing it as one directory: whole, or not at all."""

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from platform import python_version_tuple
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import UNKNOWN_CATEGORY, Matrix
from flagrank.scoring.package import (
    FORMAT,
    MANIFEST,
    Background,
    Fingerprint,
    Golden,
    HeldOut,
    Manifest,
    Row,
    TrainingData,
    read_package,
    write_package,
)
from flagrank.scoring.verification import verify_package
from flagrank.training.parity import NativeScorer
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.ports import ModelIdentity

GOLDEN_ROWS = 64
BACKGROUND_ROWS = 64
HELD_OUT_ROWS = 20_000
BINS = 10
_LIBRARIES = ("flagrank", "numpy", "onnx", "onnxruntime")


class Ingredients(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a fitted model: data (n, f), labels (n,), out-of-fold scores (n,), NaN where none."""

    name: str
    schema: FeatureSchema
    architecture: str
    libraries: Sequence[str]
    """Distributions that made the model, beside those that every package comes of."""

    target: str
    model: bytes
    native: NativeScorer
    data: Matrix
    labels: NDArray[np.int8]
    out_of_fold: NDArray[np.float64]
    probes: Matrix
    metrics: Mapping[str, Any]
    made_at: str
    seed: int


def write_training_package(directory: Path, parts: Ingredients, report: bytes) -> ModelIdentity:
    """Write, read back and verify the package, then put it in its place.

    An earlier package or an empty directory at that place is replaced; anything else is refused.
    """
    check_place(directory)
    made = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        files = {
            "model.onnx": parts.model,
            "golden.json": msgspec.json.encode(_make_golden(parts)),
            "background.json": msgspec.json.encode(_make_background(parts)),
            "held_out.json": msgspec.json.encode(_make_held_out(parts)),
            "report.html": report,
        }
        identity = write_package(made, _make_manifest(parts), files)
        verify_package(read_package(made))
        made.chmod(0o755)
        _put_in_place(made, directory)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return identity


def check_place(directory: Path) -> None:
    """Raise `TrainingRefused` where a package can't be put; asked before the work and again after it."""
    if not directory.absolute().parent.is_dir():
        raise TrainingRefused(
            f"The folder {directory.absolute().parent} for the package does not exist. Make it first."
        )
    if directory.exists() and not directory.is_dir():
        raise TrainingRefused(f"{directory} is a file, and a package is a directory. Choose another --out.")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise TrainingRefused(
            f"{directory} holds files that are no package. Choose another --out, or empty it."
        )


def _put_in_place(made: Path, directory: Path) -> None:
    if not directory.is_dir():
        made.rename(directory)
        return
    with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as old:
        directory.rename(Path(old) / "old")
        made.rename(directory)


def _make_manifest(parts: Ingredients) -> Manifest:
    columns = enumerate(parts.schema.feature)
    scored = parts.out_of_fold[~np.isnan(parts.out_of_fold)]
    positives = int(parts.labels.sum())
    training = TrainingData(
        rows=len(parts.labels),
        positives=positives,
        base_rate=positives / len(parts.labels),
        features={feature.name: _fingerprint(feature, parts.data[:, column]) for column, feature in columns},
        score=_fingerprint(Feature("score", "number"), scored),
    )
    return Manifest(
        format=FORMAT,
        name=parts.name,
        architecture=parts.architecture,
        target=parts.target,
        schema=parts.schema,
        training=training,
        metrics=parts.metrics,
        libraries={
            "python": ".".join(python_version_tuple()[:2]),
            **_read_versions({*_LIBRARIES, *parts.libraries}),
        },
        files={},
        made_at=parts.made_at,
    )


def _read_versions(names: set[str]) -> dict[str, str]:
    """Versions of those installed: a library may come as one distribution or another."""
    installed = {distribution.name: distribution.version for distribution in distributions()}
    return {name: installed[name] for name in sorted(names) if name in installed}


def _fingerprint(feature: Feature, values: NDArray[Any]) -> Fingerprint:
    known = values[~np.isnan(values)].astype(np.float64)
    if feature.type == "category":
        edges = np.arange(UNKNOWN_CATEGORY, len(feature.values) - 1) + 0.5
    elif feature.type == "boolean":
        edges = np.array([0.5])
    else:
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    shares = counts / max(1, len(known))
    return Fingerprint(tuple(edges.tolist()), tuple(shares.tolist()), 1 - len(known) / len(values))


def _make_golden(parts: Ingredients) -> Golden:
    """Half of the rows are the data's own, half are made to part native and ONNX."""
    random = np.random.default_rng(parts.seed)
    rows = np.concatenate(
        [source[random.integers(0, len(source), GOLDEN_ROWS // 2)] for source in (parts.data, parts.probes)]
    )
    return Golden(_to_rows(rows), tuple(parts.native(rows).tolist()))


def _make_background(parts: Ingredients) -> Background:
    chosen = np.random.default_rng(parts.seed).permutation(len(parts.data))[:BACKGROUND_ROWS]
    return Background(_to_rows(parts.data[chosen]))


def _make_held_out(parts: Ingredients) -> HeldOut:
    """The rows of the smallest digests: packages of overlapping data keep the same of the rows they share."""
    scored = np.flatnonzero(~np.isnan(parts.out_of_fold))
    digests = digest_rows(parts.schema, parts.data[scored])
    chosen = sorted(range(len(scored)), key=digests.__getitem__)[:HELD_OUT_ROWS]
    rows = scored[chosen]
    return HeldOut(
        digests=tuple(digests[position] for position in chosen),
        labels=tuple(parts.labels[rows].tolist()),
        scores=tuple(round(score, 7) for score in parts.out_of_fold[rows].tolist()),
    )


def digest_rows(schema: FeatureSchema, matrix: Matrix) -> list[str]:
    """A short digest of each row of (n, f), the same for any order of features and of a category's values."""
    columns = sorted(range(len(schema.feature)), key=lambda column: schema.feature[column].name)
    canonical = np.ascontiguousarray(matrix[:, columns]) + np.float32(0)  # -0 becomes 0
    canonical[np.isnan(canonical)] = np.nan  # one bit pattern for null
    for place, column in enumerate(columns):
        feature = schema.feature[column]
        if feature.type == "category":
            codes = [
                _digest_text(value) for value in (*feature.values, "")
            ]  # the last one stands for unknown, code -1
            known = ~np.isnan(canonical[:, place])
            canonical[known, place] = np.array(codes, np.float32)[canonical[known, place].astype(int)]
    digests = (hashlib.blake2b(row.tobytes(), digest_size=9).digest() for row in canonical)
    return [base64.urlsafe_b64encode(digest).decode() for digest in digests]


def _digest_text(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=3).digest())


def _to_rows(matrix: Matrix) -> tuple[Row, ...]:
    """Rows for JSON: null for NaN."""
    return tuple(tuple(None if np.isnan(value) else float(value) for value in row) for row in matrix)
