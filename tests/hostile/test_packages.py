"""A package that is damaged, foreign or hostile is refused in one sentence before anything in it is run."""

import hashlib
import json
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.scoring.package import MANIFEST, REQUIRED_FILES, read_package
from flagrank.triage.errors import PackageRefused
from tests.hostile.spoiling import pack, read_or_none, refuse, replace_file, rewrite_manifest
from tests.packages import write_small_package

MIB = 2**20


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_directory_and_its_zip_are_one_package(package: Path, method: int) -> None:
    assert read_package(package) == read_package(pack(package, package.with_suffix(".zip"), method))


def test_a_package_may_be_named_by_a_link(package: Path, tmp_path: Path) -> None:
    archive = pack(package, tmp_path / "v1.zip")
    (tmp_path / "latest.zip").symlink_to(archive)
    (tmp_path / "latest").symlink_to(package)
    assert read_package(tmp_path / "latest.zip") == read_package(tmp_path / "latest")


def test_a_file_beside_the_package_changes_nothing(package: Path) -> None:
    before = read_package(package)
    (package / "notes.txt").write_text("mine")
    assert read_package(package) == before


def test_the_version_follows_the_manifest(package: Path) -> None:
    before = read_package(package).identity
    rewrite_manifest(package, made_at="2026-01-02T00:00:00Z")
    after = read_package(package).identity
    assert before.name == after.name
    assert before.version != after.version
    assert after.version == "sha256:" + hashlib.sha256((package / MANIFEST).read_bytes()).hexdigest()[:12]


# What is wrong with the path


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "Name a directory that `train` wrote, or a .zip of one." in refuse(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["x" * 5_000, "a/" * 4_000, "\0"])
def test_a_path_that_no_system_has_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused):
        read_package(tmp_path / name)


def test_a_named_pipe_does_not_hold_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    assert "is no regular file" in refuse(tmp_path / "pipe.zip")


def test_a_device_is_refused() -> None:
    assert "is no regular file" in refuse(Path("/dev/zero"))


# What is wrong with a file


@pytest.mark.parametrize("name", [MANIFEST, *REQUIRED_FILES])
def test_a_missing_file_is_named(name: str, package: Path) -> None:
    (package / name).unlink()
    assert f"{package}/{name} can't be read (No such file or directory" in refuse(package)


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_truncated_file_is_named(name: str, package: Path) -> None:
    content = (package / name).read_bytes()
    (package / name).write_bytes(content[: len(content) // 2])
    assert f"{package}/{name} is not the file its manifest names: the hashes differ." in refuse(package)


def test_any_file_that_the_manifest_names_must_hold_its_hash(package: Path) -> None:
    replace_file(package, "report.html", b"<p>good")
    read_package(package)
    (package / "report.html").write_bytes(b"<p>evil")
    assert "/report.html is not the file its manifest names: the hashes differ." in refuse(package)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (make_link, "can't be read ("),
        (os.mkfifo, "is no regular file"),
        (make_socket, "can't be read ("),
        (Path.mkdir, "can't be read (Is a directory"),
    ],
)
@pytest.mark.parametrize("name", [MANIFEST, "model.onnx"])
def test_a_file_that_is_no_file_is_refused(
    make: Callable[[Path], object], sentence: str, name: str, package: Path
) -> None:
    (package / name).unlink()
    make(package / name)
    assert f"{package}/{name} {sentence}" in refuse(package)


@pytest.mark.parametrize("name", [MANIFEST, "golden.json"])
def test_a_json_file_over_16_mib_is_not_read(name: str, package: Path) -> None:
    with (package / name).open("ab") as file:
        file.truncate(2**40)  # a hole: it takes no space
    assert f"{package}/{name} is larger than a package allows (16,777,216 bytes)" in refuse(package)


def test_files_over_256_mib_together_are_not_read(package: Path) -> None:
    with (package / "model.onnx").open("ab") as file:
        file.truncate(256 * MIB + 1)
    with pytest.raises(PackageRefused, match=r"model\.onnx is larger than a package allows"):
        read_package(package)


# What is wrong with the manifest


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not what a package holds: Input data was truncated"),
        (b"not JSON", "is not what a package holds: JSON is malformed"),
        (b"[]", "is not what a package holds: Expected `object`, got `array`"),
        (b"{}", "is not what a package holds: Object missing required field `format`"),
        (b'{"format": "1"}', "is not what a package holds: Expected `int`, got `str` - at `$.format`"),
        (b'{"format": 1}', "is not what a package holds: Object missing required field `name`"),
        (b'{"format": 2, "new": 1}', "has format 2; this flagrank reads format 1. Make the package again."),
        (b'{"format": 1' + b"0" * 5_000 + b"}", "is not what a package holds: "),
        (b'{"format": 1, "x": ' + b"[" * 10**6, "is not what a package holds: "),
        (b'{"format": 1, "metrics": ' + b'{"a":' * 10**6, "is not what a package holds: "),
        (b'{"format": 1, "name": "\xff"}', "is not what a package holds: "),
        (b"\x80\x04\x95", "is not what a package holds: "),
    ],
)
def test_a_manifest_that_is_none_is_refused(content: bytes, sentence: str, package: Path) -> None:
    (package / MANIFEST).write_bytes(content)
    assert f"{package}/{MANIFEST} {sentence}" in refuse(package)


A = {"name": "a", "type": "number"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "name is not 1 to 128 characters without control characters"),
        ({"name": "\x1b]0;owned\x07"}, "name is not 1 to 128 characters without control characters"),
        ({"architecture": "x" * 129}, "architecture is not 1 to 128 characters"),
        ({"made_at": "\n"}, "made_at is not 1 to 128 characters"),
        ({"schema": {"feature": []}}, "has 0 features. Declare 1 to 1,000."),
        ({"schema": {"feature": [A] * 1_001}}, "has 1,001 features. Declare 1 to 1,000."),
        ({"schema": {"feature": [A, A]}}, 'feature[1] ("a") is declared twice.'),
        (
            {"schema": {"feature": [{**A, "name": "report_id"}]}},
            "has the name of a field that every report has.",
        ),
        ({"schema": {"feature": [{**A, "type": "category"}]}}, 'is a category without "values".'),
        ({"schema": {"feature": [{**A, "range": [2, 1]}]}}, "which holds no value."),
        ({"schema": {"feature": [{**A, "type": "\x1b[31m" + "x" * 10**6}]}}, "Invalid enum value "),
        ({"schema": {"feature": [{**A, "code": "x"}]}}, "Object contains unknown field `code`"),
        ({"files": {}}, "it names no background.json, golden.json, held_out.json, model.onnx"),
        ({"training": None}, "Expected `object`, got `null` - at `$.training`"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(
    fields: dict[str, Any], sentence: str, package: Path
) -> None:
    rewrite_manifest(package, **fields)
    assert sentence in refuse(package)


@pytest.mark.parametrize(
    ("feature", "fingerprint"),
    [
        ("popularity", None),
        ("no feature", {"edges": [], "shares": [1.0], "null_rate": 0}),
        ("popularity", {"edges": [], "shares": [], "null_rate": 0}),
        ("popularity", {"edges": [1.0], "shares": [1.0], "null_rate": 0}),
        ("popularity", {"edges": [2.0, 1.0], "shares": [0.5, 0.25, 0.25], "null_rate": 0}),
        ("popularity", {"edges": [1.0, 1.0], "shares": [0.5, 0.25, 0.25], "null_rate": 0}),
        ("score", {"edges": [0.5], "shares": [1.0], "null_rate": 0}),
    ],
)
def test_a_fingerprint_without_a_share_for_each_bin_is_refused(
    feature: str, fingerprint: dict[str, Any] | None, package: Path
) -> None:
    training = json.loads((package / MANIFEST).read_bytes())["training"]
    if feature == "score":
        training["score"] = fingerprint
    elif fingerprint is None:
        del training["features"][feature]
    else:
        training["features"][feature] = fingerprint
    rewrite_manifest(package, training=training)
    assert "its training fingerprint does not have each feature's bins and shares" in refuse(package)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/b", "..", ".hidden", "a\\b", "a\0b", "x" * 101]
)
def test_a_manifest_that_names_a_file_elsewhere_is_refused_and_nothing_is_read(
    name: str, package: Path
) -> None:
    (package.parent / "secret").write_text("secret")
    files = json.loads((package / MANIFEST).read_bytes())["files"]
    rewrite_manifest(package, files={name: hashlib.sha256(b"secret").hexdigest()} | files)
    assert "names files that no package has. It was not made by flagrank" in refuse(package)


# What is wrong with a content


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("golden.json", b"[]", "Expected `object`, got `array`"),
        ("golden.json", b'{"rows": [], "scores": []}', "it has no rows of 5 values with a score each"),
        (
            "golden.json",
            b'{"rows": [[1,2,3,4]], "scores": [0.5]}',
            "it has no rows of 5 values with a score each",
        ),
        (
            "golden.json",
            b'{"rows": [[1,2,3,4,5]], "scores": []}',
            "it has no rows of 5 values with a score each",
        ),
        (
            "golden.json",
            b'{"rows": [[1,2,3,4,1e39]], "scores": [0.5]}',
            "it has no rows of 5 values with a score",
        ),
        ("golden.json", b'{"rows": [[1,2,3,4,"5"]], "scores": [0.5]}', "Expected `float | null`, got `str`"),
        ("golden.json", b'{"rows": [[1,2,3,4,5]], "scores": [null]}', "Expected `float`, got `null`"),
        ("golden.json", b'{"rows": [[1,2,3,4,5]], "scores": [NaN]}', "JSON is malformed"),
        ("background.json", b'{"rows": [[1,2,3,4]]}', "it has a row that is not 5 values"),
        (
            "held_out.json",
            b'{"digests": ["a"], "labels": [], "scores": []}',
            "not one label and one score each",
        ),
        ("held_out.json", b'{"digests": [' + b"[" * 10**6, "is not what a package holds: "),
    ],
)
def test_a_content_that_is_not_as_the_format_says_is_refused(
    name: str, content: bytes, sentence: str, package: Path
) -> None:
    replace_file(package, name, content)
    detail = refuse(package)
    assert f"{package}/{name} is not what a package holds: " in detail
    assert sentence in detail


@given(
    st.sampled_from([MANIFEST, "golden.json", "background.json", "held_out.json"]), st.binary(max_size=200)
)
def test_any_bytes_for_a_file_are_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    package = tmp_path_factory.mktemp("any") / "package"
    write_small_package(package)
    if name == MANIFEST:
        (package / name).write_bytes(content)
    else:
        replace_file(package, name, content)
    assert read_or_none(package) is None
