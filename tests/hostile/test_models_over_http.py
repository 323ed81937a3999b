"""Hostile packages, sent to a server and hidden in its database: refused in a sentence, nothing changed."""

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from flagrank.scoring.package import MANIFEST, REQUIRED_FILES
from flagrank.storage.engine import embedded_url
from tests.api.model_server import Models, wait_until
from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, RunningServer, running_server
from tests.hostile.graphs import FIRST, build_memory_bomb, build_scores, build_with_external_data, node
from tests.hostile.spoiling import make_keras_file
from tests.packages import write_small_package, zip_small_package

MIB = 2**20
GOOD = zip_small_package({"notes.txt": b"good"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("model") / "package"
    write_small_package(folder)
    with running_server("--model", str(folder), "--no-worker", data_dir=data) as running:
        yield running


def repack(*added: tuple[str | zipfile.ZipInfo, bytes], without: str = "", method: int = 0) -> bytes:
    """The good package with other entries behind its own."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as good, zipfile.ZipFile(packed, "w", method) as archive:
        for name in good.namelist():
            if name != without:
                archive.writestr(name, good.read(name))
        for entry, content in added:
            archive.writestr(entry, content)
    return packed.getvalue()


def make_link() -> bytes:
    entry = zipfile.ZipInfo("model.onnx")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return repack((entry, b"/etc/passwd"), without="model.onnx")


def make_encrypted() -> bytes:
    content = bytearray(GOOD)
    place = -1
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        content[place + 8] |= 1
    return bytes(content)


def make_bomb(name: str, size: int) -> bytes:
    """A file of a kilobyte that unpacks to `size` blanks, truly hashed."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as good:
        files = {entry: good.read(entry) for entry in good.namelist()} | {name: b" " * size}
    if name != MANIFEST:
        manifest = json.loads(files[MANIFEST])
        manifest["files"] = {one: hashlib.sha256(files[one]).hexdigest() for one in REQUIRED_FILES}
        files[MANIFEST] = json.dumps(manifest).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in files.items():
            archive.writestr(entry, content)
    return packed.getvalue()


def make_countless() -> bytes:
    return repack(*((f"file{number}", b"") for number in range(20_000)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"", "no readable .zip"),
        (lambda: GOOD[: len(GOOD) // 2], "no readable .zip"),
        (lambda: b"\x7fELF" * 1_000, "no readable .zip"),
        (lambda: repack(("../../evil", b"evil")), "names a file outside itself"),
        (lambda: repack(("/etc/evil", b"evil")), "names a file outside itself"),
        (make_link, "holds a link"),
        (make_encrypted, "is encrypted"),
        (lambda: repack(("model.onnx", b"evil")), "two files of one name"),
        (lambda: repack(method=zipfile.ZIP_LZMA), "another method than deflate"),
        (make_countless, "holds over 100 files"),
        (lambda: make_bomb(MANIFEST, 300 * MIB), "larger than a package allows"),
        (lambda: make_bomb("golden.json", 300 * MIB), "larger than a package allows"),
        (lambda: make_bomb("model.onnx", 300 * MIB), "larger than a package allows"),
        (lambda: make_bomb("model.onnx", 200 * MIB), "model.onnx"),
        (lambda: repack(without="golden.json"), "golden.json"),
        (
            lambda: zip_small_package({"held_out.json": b'{"digests":["a"],"labels":[7],"scores":[0.5]}'}),
            "label",
        ),
        (lambda: zip_small_package({"model.onnx": build_memory_bomb(at_load=True)}), "model.onnx"),
        (lambda: zip_small_package({"model.onnx": build_with_external_data("golden.json")}), "model.onnx"),
        (
            lambda: zip_small_package(
                {
                    "model.onnx": build_scores(
                        node("Evil", [FIRST], ["x"], domain="evil"), last="x", domains=["evil"]
                    )
                }
            ),
            "model.onnx",
        ),
    ],
)
def test_a_hostile_package_is_refused_and_nothing_is_stored(
    server: RunningServer, make: Callable[[], bytes], said: str
) -> None:
    models = Models(server)
    before = models.list()
    problem = check_problem(models.publish(make()), 422, "package_refused")
    assert said in problem["detail"]
    assert "\n" not in problem["detail"]
    assert len(problem["detail"]) < 600
    assert models.list() == before
    assert server.predict([REPORT]).status == 200


def test_the_server_itself_has_unpacked_nothing(server: RunningServer) -> None:
    for size in (200 * MIB, 250 * MIB):
        check_problem(Models(server).publish(make_bomb("model.onnx", size)), 422, "package_refused")
    assert server.read_memory() < 300 * MIB


def test_a_keras_file_is_never_loaded(server: RunningServer) -> None:
    """In the graph's place it is refused; beside the graph nobody looks at it, whatever its role."""
    models = Models(server)
    refused = models.publish(zip_small_package({"model.onnx": make_keras_file()}))
    assert "model.onnx" in check_problem(refused, 422, "package_refused")["detail"]
    published = models.publish(zip_small_package({"model.keras": make_keras_file()}))
    assert published.status == 201
    version = published.document["version"]
    assert models.promote(version).status == 200
    models.wait_for(version)
    loaded = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" in loaded
    assert "tensorflow" not in loaded
    assert models.post("/rollback").status == 200
    models.wait_for(1)
    assert models.delete(version).status == 204


def spoil(data: Path, version: int, content: bytes, *, is_hash_right: bool) -> None:
    """Put other bytes in the place of a published package, as someone may who writes to the database."""
    engine = create_engine(embedded_url(data / "flagrank.db"))
    with engine.begin() as connection:
        old = connection.scalar(text("SELECT sha256 FROM model WHERE version = :v"), {"v": version})
        new = hashlib.sha256(content).hexdigest() if is_hash_right else old
        values = {"old": old, "new": new, "content": content}
        connection.execute(text("DELETE FROM artifact_part WHERE sha256 = :old"), values)
        if is_hash_right:
            connection.execute(text("INSERT INTO artifact VALUES (:new, 1)"), values)
        connection.execute(text("INSERT INTO artifact_part VALUES (:new, 0, :content)"), values)
        connection.execute(text("UPDATE model SET sha256 = :new WHERE sha256 = :old"), values)
    engine.dispose()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not a package", id="no package"),
        pytest.param(zip_small_package({"model.onnx": build_memory_bomb(at_load=True)}), id="a bomb"),
        pytest.param(make_keras_file(), id="a Keras file"),
        pytest.param(zip_small_package({"model.onnx": make_keras_file()}), id="a Keras file as graph"),
    ],
)
@pytest.mark.parametrize("is_hash_right", [False, True])
def test_a_package_spoiled_in_the_database_is_not_promoted(
    server: RunningServer, data: Path, content: bytes, *, is_hash_right: bool
) -> None:
    models = Models(server)
    version = models.publish_new(f"victim {len(content)} {is_hash_right}")
    spoil(data, version, content + b"\x00" * version, is_hash_right=is_hash_right)
    before = models.show(version).document
    damaged = f"The stored package of model {version} is damaged. Publish it again."
    for wish in ({}, {"force": True, "reason": "please"}):
        told = check_problem(models.promote(version, **wish), 422, "package_refused")["detail"]
        assert (told == damaged) == (not is_hash_right)
    assert models.show(version).document == before
    assert models.roles() == {1: "champion"}
    assert models.predict([REPORT])["model"]["version"] == "1"


def test_a_champion_that_can_not_be_loaded_leaves_the_old_one_at_work(
    server: RunningServer, data: Path
) -> None:
    """As after a promotion by a process that could: the replica says so, and serves on."""
    models = Models(server)
    version = models.publish_new("to be spoiled")
    bomb = zip_small_package({"model.onnx": build_memory_bomb(at_load=True), "notes.txt": b"late"})
    spoil(data, version, bomb, is_hash_right=True)
    engine = create_engine(embedded_url(data / "flagrank.db"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE model SET role = 'none'"))
        connection.execute(text("UPDATE model SET role = 'champion' WHERE version = :v"), {"v": version})
    refused = b'flagrank_model_refused{role="champion"} 1'
    wait_until(lambda: refused in server.get("/metrics").body)
    assert models.predict([REPORT])["model"]["version"] == "1"
    ready = server.get("/readyz")
    assert ready.status == 200
    (note,) = ready.document["notes"]
    assert note.startswith("The champion can't be loaded here: model.onnx")
    with engine.begin() as connection:
        connection.execute(text("UPDATE model SET role = 'none'"))
        connection.execute(text("UPDATE model SET role = 'champion' WHERE version = 1"))
    engine.dispose()
    wait_until(lambda: refused not in server.get("/metrics").body)
    assert server.get("/readyz").document == {"status": "ready"}
