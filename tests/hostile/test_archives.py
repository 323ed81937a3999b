"""A .zip that is damaged, foreign or hostile is refused in one sentence; nothing in it is unpacked or run."""

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.scoring.package import MANIFEST, REQUIRED_FILES, read_package
from tests.hostile.spoiling import pack, read_or_none, refuse, write_entries
from tests.packages import make_files, make_manifest, read_default_schema

MIB = 2**20


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "//evil",
        "..\\evil",
        "\\evil",
        "C:\\evil",
        "c:evil",
        "..",
        "a/..",
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_reaches_outside_itself_is_refused(name: str, package: Path) -> None:
    archive = pack(package, package.with_suffix(".zip"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(name, b"evil")
    assert "names a file outside itself. It was not made by flagrank; do not use it." in refuse(archive)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
@pytest.mark.parametrize("name", ["model.onnx", "other"])
def test_a_zip_with_a_link_or_a_device_is_refused(kind: int, name: str, tmp_path: Path) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (kind | 0o777) << 16
    archive = write_entries(tmp_path / "x.zip", (entry, b"/etc/passwd"))
    assert "holds a link, or another thing that is no file." in refuse(archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_two_files_of_one_name_is_refused(package: Path) -> None:
    archive = pack(package, package.with_suffix(".zip"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("model.onnx", b"evil")
    assert "holds two files of one name." in refuse(archive)


def test_an_encrypted_zip_is_refused(package: Path) -> None:
    archive = pack(package, package.with_suffix(".zip"))
    content = bytearray(archive.read_bytes())
    place = -1
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        content[place + 8] |= 1
    archive.write_bytes(content)
    assert "is encrypted. It was not made by flagrank" in refuse(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_is_refused(method: int, package: Path) -> None:
    assert "is packed by another method than deflate" in refuse(
        pack(package, package.with_suffix(".zip"), method)
    )


def test_a_zip_of_the_folder_is_told_how_to_pack(package: Path) -> None:
    entries = [(f"package/{path.name}", path.read_bytes()) for path in package.iterdir()]
    detail = refuse(write_entries(package.with_suffix(".zip"), *entries))
    assert detail.endswith(
        "has no manifest.json at its top. Put the package's files into the .zip without their folder."
    )


@pytest.mark.parametrize("name", [MANIFEST, "golden.json"])
def test_a_zip_bomb_is_refused_unexploded(name: str, package: Path) -> None:
    files = {path.name: path.read_bytes() for path in package.iterdir()} | {name: b" " * (64 * MIB)}
    if name != MANIFEST:
        hashes = {other: hashlib.sha256(content).hexdigest() for other, content in files.items()}
        manifest = json.loads(files[MANIFEST]) | {"files": {other: hashes[other] for other in REQUIRED_FILES}}
        files[MANIFEST] = json.dumps(manifest).encode()
    archive = write_entries(package.with_suffix(".zip"), *files.items(), method=zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < MIB
    assert f"{name} is larger than a package allows (16,777,216 bytes)" in refuse(archive)


def test_a_zip_that_understates_its_sizes_is_refused(package: Path) -> None:
    archive = write_entries(
        package.with_suffix(".zip"), (MANIFEST, b" " * (64 * MIB)), method=zipfile.ZIP_DEFLATED
    )
    content = archive.read_bytes()
    true_size = (64 * MIB).to_bytes(4, "little")
    assert content.count(true_size) == 2
    archive.write_bytes(content.replace(true_size, (10).to_bytes(4, "little")))
    refuse(archive)


def test_a_zip_of_countless_files_is_refused_before_they_are_listed(tmp_path: Path) -> None:
    archive = write_entries(tmp_path / "x.zip", *((str(number), b"") for number in range(20_000)))
    assert "holds over 100 files." in refuse(archive)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"not a zip" * 1_000, b"\x7fELF" + bytes(99)]
)
def test_a_file_that_is_no_zip_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    refuse(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_zip_is_refused(share: float, package: Path) -> None:
    archive = pack(package, package.with_suffix(".zip"))
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert "is no readable .zip: File is not a zip file. Make the package again." in refuse(archive)


# Any bytes whatever


def _make_archive() -> bytes:
    manifest, files = make_manifest(read_default_schema()), make_files(read_default_schema())
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    encoded = msgspec.json.encode(msgspec.structs.replace(manifest, files=hashes))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [(MANIFEST, encoded), *files.items()]:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


ARCHIVE = _make_archive()
DIRECTORY = range(len(ARCHIVE) - 800, len(ARCHIVE))  # what a .zip says of its files, at its end
changes = st.lists(
    st.tuples(st.sampled_from(DIRECTORY) | st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)),
    min_size=1,
    max_size=6,
)


@given(changes)
def test_a_zip_with_any_bytes_changed_is_the_same_package_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changed: list[tuple[int, int]]
) -> None:
    content = bytearray(ARCHIVE)
    for place, value in changed:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "changed.zip"
    path.write_bytes(ARCHIVE)
    good = read_package(path)
    path.write_bytes(content)
    assert read_or_none(path) in (good, None)
