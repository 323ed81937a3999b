"""The model package: what its files hold, and reading and writing it whole."""

import hashlib
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from flagrank.triage.errors import FlagrankError, PackageRefused
from flagrank.triage.feature_schema import FeatureSchema, check_schema
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import CONTEXT_FIELDS

FORMAT = 1
MAX_BYTES = 256 * 2**20
REQUIRED_FILES = ("model.onnx", "golden.json", "background.json", "held_out.json")
MANIFEST = "manifest.json"

Row = tuple[float | None, ...]


class Fingerprint(msgspec.Struct, frozen=True):
    """How one feature or the score was spread in training: inner bin edges, the share of known values a bin, the null rate.

    Bins are (-inf, edges[0]], (edges[0], edges[1]], ... ; ten quantile bins of a number, one bin a code of a category.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    null_rate: float


class TrainingData(msgspec.Struct, frozen=True):
    """The data a model was fitted on."""

    rows: int
    positives: int
    base_rate: float
    features: Mapping[str, Fingerprint]
    score: Fingerprint


class Manifest(msgspec.Struct, frozen=True):
    """What a package says of itself; `files` holds the sha256 of every other file in it."""

    format: int
    name: str
    architecture: str
    target: str
    schema: FeatureSchema
    training: TrainingData
    metrics: Mapping[str, Any]
    libraries: Mapping[str, str]
    files: Mapping[str, str]
    made_at: str


class Golden(msgspec.Struct, frozen=True):
    """Rows (null for NaN, columns in manifest order) and the scores that the native model gives them."""

    rows: tuple[Row, ...]
    scores: tuple[float, ...]


class Background(msgspec.Struct, frozen=True):
    """Rows of the training data that explanations compare with."""

    rows: tuple[Row, ...]


class HeldOut(msgspec.Struct, frozen=True):
    """Out-of-fold scores by row digest, for comparing models on the rows both have held out."""

    digests: tuple[str, ...]
    labels: tuple[int, ...]
    scores: tuple[float, ...]


class Package(msgspec.Struct, frozen=True):
    """A package read whole, its hashes checked; `identity.version` is made of the manifest's own hash."""

    identity: ModelIdentity
    manifest: Manifest
    model: bytes
    golden: Golden
    background: Background
    held_out: HeldOut


def read_package(path: Path) -> Package:
    """Read a package from a directory or a .zip; nothing is extracted or run.

    Raises `PackageRefused` where a file is missing, too large, wrongly hashed, or not what the format says.
    """
    if path.is_dir():
        return _check_package(lambda name: _read_from_directory(path, name), str(path))
    if not path.exists():
        raise PackageRefused(f"{path} does not exist. Name a directory that `flagrank train` wrote, or a .zip of one.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_names(archive, path)
            return _check_package(lambda name: _read_from_zip(archive, name), str(path))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise PackageRefused(f"{path} is no readable .zip: {error}. Make the package again.") from error


def write_package(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> ModelIdentity:
    """Write `files` and a manifest with their hashes into an existing directory; returns the package's identity."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = msgspec.structs.replace(manifest, files=hashes)
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for name, content in [*files.items(), (MANIFEST, encoded)]:
        (directory / name).write_bytes(content)
    return _identify(manifest.name, encoded)


def _identify(name: str, encoded_manifest: bytes) -> ModelIdentity:
    return ModelIdentity(name, f"sha256:{hashlib.sha256(encoded_manifest).hexdigest()[:12]}")


def _check_package(read: Callable[[str], bytes], source: str) -> Package:
    encoded = read(MANIFEST)
    manifest = _decode(encoded, Manifest, source, MANIFEST)
    if manifest.format != FORMAT:
        raise PackageRefused(f"{source} has format {manifest.format}; this flagrank reads format {FORMAT}. Make it again.")
    try:
        check_schema(manifest.schema, f"{source}/{MANIFEST}", CONTEXT_FIELDS)
    except FlagrankError as error:
        raise PackageRefused(error.detail) from error
    contents = {name: read(name) for name in REQUIRED_FILES}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
            raise PackageRefused(f"{source}/{name} is not the file its manifest names: the hashes differ. Copy the package again.")
    golden = _decode(contents["golden.json"], Golden, source, "golden.json")
    background = _decode(contents["background.json"], Background, source, "background.json")
    held_out = _decode(contents["held_out.json"], HeldOut, source, "held_out.json")
    width = len(manifest.schema.feature)
    if not golden.rows or len(golden.rows) != len(golden.scores) or any(len(row) != width for row in golden.rows):
        raise PackageRefused(f"{source}/golden.json has no rows of {width} values with a score each. Make the package again.")
    if any(len(row) != width for row in background.rows):
        raise PackageRefused(f"{source}/background.json has a row that is not {width} values long. Make the package again.")
    return Package(_identify(manifest.name, encoded), manifest, contents["model.onnx"], golden, background, held_out)


_T = TypeVar("_T")


def _decode(content: bytes, kind: type[_T], source: str, name: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackageRefused(f"{source}/{name} is not what a package holds: {error}. Make the package again.") from error


def _refuse_size(name: str) -> PackageRefused:
    return PackageRefused(f"{name} is larger than {MAX_BYTES // 2**20} MiB, the limit of a package. Make a smaller model.")


def _read_from_directory(directory: Path, name: str) -> bytes:
    path = directory / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise PackageRefused(f"{path} can't be read ({error.strerror}; links are not followed). Copy the package again.") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PackageRefused(f"{path} is no regular file. Copy the package again.")
        if status.st_size > MAX_BYTES:
            raise _refuse_size(str(path))
        return file.read()


def _check_names(archive: zipfile.ZipFile, path: Path) -> None:
    for entry in archive.infolist():
        parts = entry.filename.replace("\\", "/").split("/")
        if entry.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise PackageRefused(f"{path} names a file outside itself. It was not made by flagrank; do not use it.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise PackageRefused(f"{path} holds a link. It was not made by flagrank; do not use it.")
    if len(archive.namelist()) != len(set(archive.namelist())):
        raise PackageRefused(f"{path} holds two files of one name. It was not made by flagrank; do not use it.")


def _read_from_zip(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        with archive.open(name) as file:
            content = file.read(MAX_BYTES + 1)  # the size that the archive claims may be false
    except KeyError as error:
        raise PackageRefused(
            f"{archive.filename} has no {name} at its top. Put the package's files into the .zip without their folder."
        ) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise PackageRefused(f"{archive.filename}: {name} can't be unpacked: {error}. Make the .zip again.") from error
    if len(content) > MAX_BYTES:
        raise _refuse_size(f"{archive.filename}: {name}")
    return content
