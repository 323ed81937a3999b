"""Changing a package so that it must be refused, and reading the refusal."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from flagrank.scoring.package import MANIFEST, Package, read_package
from flagrank.triage.errors import PackageRefused

MIB = 2**20


def refuse(path: Path) -> str:
    """The refusal, made without ever holding much more than the package itself."""
    tracemalloc.start()
    try:
        with pytest.raises(PackageRefused) as caught:
            read_package(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB
    detail = caught.value.detail
    assert "\n" not in detail
    assert detail.endswith(".")
    assert len(detail) < 600
    return detail


def rewrite_manifest(package: Path, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    manifest = json.loads((package / MANIFEST).read_bytes())
    (package / MANIFEST).write_text(json.dumps(manifest | fields))


def replace_file(package: Path, name: str, content: bytes) -> None:
    """Put other content into a file and its hash into the manifest."""
    (package / name).write_bytes(content)
    files = json.loads((package / MANIFEST).read_bytes())["files"]
    rewrite_manifest(package, files=files | {name: hashlib.sha256(content).hexdigest()})


def pack(package: Path, archive: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(archive, "w", method) as file:
        for path in sorted(package.iterdir()):
            file.write(path, path.name)
    return archive


def write_entries(archive: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = 0) -> Path:
    with zipfile.ZipFile(archive, "w", method) as file:
        for entry, content in entries:
            file.writestr(entry, content)
    return archive


def read_or_none(path: Path) -> Package | None:
    try:
        return read_package(path)
    except PackageRefused:
        return None


def make_keras_file() -> bytes:
    """What Keras without its safe mode would run: a layer that is a function of another module."""
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("config.json", json.dumps(layer))
    return packed.getvalue()
