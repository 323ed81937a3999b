"""The model package: what its files hold, and reading and writing it whole."""

import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from flagrank.triage.errors import PackageRefused, SchemaRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema, check_schema, is_plain_text
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import CONTEXT_FIELDS

FORMAT = 1
MAX_BYTES = 256 * 2**20
MAX_JSON_BYTES = 16 * 2**20  # of one file: decoded it can take 16 times as much
MAX_FILES = 100
REQUIRED_FILES = ("model.onnx", "golden.json", "background.json", "held_out.json")
MANIFEST = "manifest.json"

Row = tuple[float | None, ...]

_INFINITE_FROM = 3.4028235677973366e38  # half a step past the largest float32
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_STRANGER = "It was not made by flagrank; do not use it."
# What a damaged .zip is known to raise from Python's reader.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    OSError,
    OverflowError,
)

_T = TypeVar("_T")
_Read = Callable[[str, int], bytes]  # a file's name and the most bytes it may have


class Fingerprint(msgspec.Struct, frozen=True):
    """How a feature or the score was spread in training.

    Bins are (-inf, edges[0]], (edges[0], edges[1]], ...: ten quantile bins of a number, one bin a code of a
    category. `shares` are those of the known values.
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


class _Format(msgspec.Struct):
    """The one field that every format has."""

    format: int


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
    return _read_any(path, lambda read: read)


def _read_any(path: Path, wrap: Callable[[_Read], _Read]) -> Package:
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        raise PackageRefused(
            f"{path} can't be read ({shorten(getattr(error, 'strerror', None) or error)}). "
            "Name a directory that `train` wrote, or a .zip of one."
        ) from error
    if is_directory:
        return _check_package(wrap(partial(_read_from_directory, path)), str(path))
    if path.suffix == ".keras":  # a .zip, too
        raise PackageRefused(
            f"{path} is a Keras file, which can hold code of whoever made it: only flagrank.training.package "
            "opens one. Make a package of it there, and name that."
        )
    return _unpack(_read_file(path.resolve(), MAX_BYTES), str(path), wrap)


def unpack_package(content: bytes, source: str) -> Package:
    """Read a package from the bytes of a .zip, as `read_package` does; `source` names it in errors."""
    return _unpack(content, source, lambda read: read)


def _unpack(content: bytes, source: str, wrap: Callable[[_Read], _Read]) -> Package:
    with _open_zip(content, source) as archive:
        return _check_package(wrap(partial(_read_from_zip, archive, source)), source)


def pack_package(path: Path) -> tuple[Package, bytes]:
    """Read a package as `read_package` does; with the bytes to publish it by, equal for equal packages."""
    return _pack(partial(_read_any, path))


def repack_package(content: bytes, source: str) -> tuple[Package, bytes]:
    """Read a package as `unpack_package` does; with the bytes to publish it by, equal for equal packages."""
    return _pack(partial(_unpack, content, source))


def _pack(read_wrapped: Callable[[Callable[[_Read], _Read]], Package]) -> tuple[Package, bytes]:
    kept: dict[str, bytes] = {}

    def keep(read: _Read) -> _Read:
        def read_and_keep(name: str, most: int) -> bytes:
            kept[name] = read(name, most)
            return kept[name]

        return read_and_keep

    package = read_wrapped(keep)
    packed = io.BytesIO()
    with zipfile.ZipFile(
        packed, "w", zipfile.ZIP_STORED
    ) as archive:  # packing differs between versions of zlib
        for name in sorted(kept):
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, kept[name])
    return package, packed.getvalue()


def write_package(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> ModelIdentity:
    """Write `files` and a manifest with their hashes into an existing directory; returns its identity."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = msgspec.structs.replace(manifest, files=hashes)
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for name, content in [*files.items(), (MANIFEST, encoded)]:
        (directory / name).write_bytes(content)
    return _identify(manifest.name, encoded)


def _identify(name: str, encoded_manifest: bytes) -> ModelIdentity:
    return ModelIdentity(name, f"sha256:{hashlib.sha256(encoded_manifest).hexdigest()[:12]}")


def _check_package(read: _Read, source: str) -> Package:
    encoded = read(MANIFEST, MAX_JSON_BYTES)
    manifest = _decode_manifest(encoded, source)
    contents = _read_hashed_files(read, manifest.files, source)
    golden = _decode(contents["golden.json"], Golden, f"{source}/golden.json")
    background = _decode(contents["background.json"], Background, f"{source}/background.json")
    held_out = _decode(contents["held_out.json"], HeldOut, f"{source}/held_out.json")
    width = len(manifest.schema.feature)
    if not golden.rows or len(golden.rows) != len(golden.scores) or not _is_matrix(golden.rows, width):
        raise _refuse_content(f"{source}/golden.json", f"it has no rows of {width} values with a score each")
    if not _is_matrix(background.rows, width):
        raise _refuse_content(f"{source}/background.json", f"it has a row that is not {width} values")
    if not len(held_out.digests) == len(held_out.labels) == len(held_out.scores):
        raise _refuse_content(f"{source}/held_out.json", "its rows have not one label and one score each")
    if not {0, 1}.issuperset(held_out.labels) or not all(0 <= score <= 1 for score in held_out.scores):
        raise _refuse_content(f"{source}/held_out.json", "a label is not 0 or 1, or a score not in [0, 1]")
    identity = _identify(manifest.name, encoded)
    return Package(identity, manifest, contents["model.onnx"], golden, background, held_out)


def _decode_manifest(encoded: bytes, source: str) -> Manifest:
    place = f"{source}/{MANIFEST}"
    found = _decode(encoded, _Format, place).format
    if found != FORMAT:
        raise PackageRefused(
            f"{place} has format {found}; this flagrank reads format {FORMAT}. Make the package again."
        )
    manifest = _decode(encoded, Manifest, place)
    for field in ("name", "architecture", "target", "made_at"):
        if not is_plain_text(getattr(manifest, field), 128):
            raise _refuse_content(place, f"{field} is not 1 to 128 characters without control characters")
    try:
        check_schema(manifest.schema, place, CONTEXT_FIELDS)
    except SchemaRefused as error:
        raise PackageRefused(error.detail) from error
    training = manifest.training
    if set(training.features) != set(manifest.schema.names) or not all(
        map(_is_whole, (training.score, *training.features.values()))
    ):
        raise _refuse_content(place, "its training fingerprint does not have each feature's bins and shares")
    return manifest


def _is_whole(fingerprint: Fingerprint) -> bool:
    """Whether the edges rise, and each bin has a share."""
    edges = fingerprint.edges
    return len(fingerprint.shares) == len(edges) + 1 and all(low < high for low, high in pairwise(edges))


def _read_hashed_files(read: _Read, hashes: Mapping[str, str], source: str) -> dict[str, bytes]:
    """The required files; whatever else the manifest names must hold its hash too."""
    lacking = sorted(set(REQUIRED_FILES).difference(hashes))
    if lacking:
        raise _refuse_content(f"{source}/{MANIFEST}", f"it names no {', '.join(lacking)}")
    if len(hashes) > MAX_FILES or not all(map(_FILE_NAME.fullmatch, hashes)):
        raise PackageRefused(f"{source}/{MANIFEST} names files that no package has. {_STRANGER}")
    contents = {}
    left = MAX_BYTES
    for name, expected in hashes.items():
        content = read(name, min(left, MAX_JSON_BYTES) if name.endswith(".json") else left)
        left -= len(content)
        if hashlib.sha256(content).hexdigest() != expected:
            raise PackageRefused(
                f"{source}/{name} is not the file its manifest names: the hashes differ. Copy it again."
            )
        if name in REQUIRED_FILES:
            contents[name] = content
    return contents


def _is_matrix(rows: tuple[Row, ...], width: int) -> bool:
    """Whether every row has so many values, each null or a float32."""
    return all(
        len(row) == width and all(value is None or abs(value) < _INFINITE_FROM for value in row)
        for row in rows
    )


def _decode(content: bytes, kind: type[_T], place: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse_content(place, shorten(error)) from error


def _refuse_content(place: str, reason: str) -> PackageRefused:
    return PackageRefused(f"{place} is not what a package holds: {reason}. Make the package again.")


def _refuse_size(place: str, most: int) -> PackageRefused:
    return PackageRefused(f"{place} is larger than a package allows ({most:,} bytes). Make a smaller model.")


def _read_from_directory(directory: Path, name: str, most: int) -> bytes:
    return _read_file(directory / name, most)


def _read_file(path: Path, most: int) -> bytes:
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PackageRefused(f"{path} is no regular file. Copy the package again.")
            if status.st_size > most:
                raise _refuse_size(str(path), most)
            return file.read(status.st_size)  # memory for the size asked is taken at once
    except OSError as error:
        raise PackageRefused(
            f"{path} can't be read ({shorten(error.strerror)}; links are not followed). Copy the package."
        ) from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Open no link, and no named pipe that would wait for a writer."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _open_zip(content: bytes, source: str) -> zipfile.ZipFile:
    # Counted before Python's reader makes an object of half a kilobyte of each entry.
    if content.count(b"PK\x01\x02") > MAX_FILES:
        raise PackageRefused(f"{source} holds over {MAX_FILES} files. {_STRANGER}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _ZIP_ERRORS as error:
        raise PackageRefused(
            f"{source} is no readable .zip: {shorten(error)}. Make the package again."
        ) from error
    for entry in archive.infolist():
        fault = _find_fault(entry)
        if fault:
            raise PackageRefused(f"{source} {fault}. {_STRANGER}")
    if len(set(archive.namelist())) < len(archive.namelist()):
        raise PackageRefused(f"{source} holds two files of one name. {_STRANGER}")
    return archive


def _find_fault(entry: zipfile.ZipInfo) -> str | None:
    parts = entry.filename.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or ":" in parts[0]:
        return "names a file outside itself"
    if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "holds a link, or another thing that is no file"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:  # others can ask for 4 GB
        return "is packed by another method than deflate"
    return None


def _read_from_zip(archive: zipfile.ZipFile, source: str, name: str, most: int) -> bytes:
    try:
        with archive.open(name) as file:
            content = file.read(most + 1)  # the size that the archive claims may be false
    except KeyError as error:
        raise PackageRefused(
            f"{source} has no {name} at its top. Put the package's files into the .zip without their folder."
        ) from error
    except _ZIP_ERRORS as error:
        raise PackageRefused(
            f"{source}: {name} can't be unpacked: {shorten(error)}. Make the .zip again."
        ) from error
    if len(content) > most:
        raise _refuse_size(f"{source}: {name}", most)
    return content
