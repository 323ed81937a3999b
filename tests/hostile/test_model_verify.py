"""`flagrank model verify`: exit 0 and a document for a good package, exit 1 and a sentence for any other."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import check_refusal as check_sentence
from tests.cli.running import run
from tests.hostile.graphs import FIRST, build_memory_bomb, build_scores, build_with_external_data, node
from tests.hostile.spoiling import make_keras_file
from tests.packages import write_small_package


def verify(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flagrank", "model", "verify", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _damage(package: Path) -> Path:
    (package / "golden.json").write_bytes(b"{}")
    return package


def _pack_outwards(package: Path) -> Path:
    archive = package.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../evil", b"evil")
    return archive


def _link(package: Path) -> Path:
    (package / "model.onnx").unlink()
    (package / "model.onnx").symlink_to("/etc/passwd")
    return package


def _remove(package: Path) -> Path:
    return package.with_name("nothing")


def test_a_good_package_is_described(tmp_path: Path) -> None:
    identity = write_small_package(tmp_path / "package")
    result = verify(tmp_path / "package", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "name": "small",
        "version": identity.version,
        "architecture": "linear",
        "features": [
            "abuse_type",
            "report_text_len",
            "profile_rating",
            "popularity",
            "lifetime_matches_created",
        ],
        "golden_rows": 8,
        "made_at": "2026-01-01T00:00:00Z",
    }


def test_a_good_package_is_described_in_words(tmp_path: Path) -> None:
    identity = write_small_package(tmp_path / "package")
    result = verify(tmp_path / "package")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(
        f"small {identity.version} (linear, 2026-01-01T00:00:00Z) can be served:\n"
    )


@pytest.mark.parametrize("spoil", [_damage, _pack_outwards, _link, _remove])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_bad_package_is_refused_in_one_sentence(
    spoil: Callable[[Path], Path], options: tuple[str, ...], tmp_path: Path
) -> None:
    write_small_package(tmp_path / "package")
    check_refusal(verify(spoil(tmp_path / "package"), *options))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(b"\x80\x04\x95", id="no graph"),
        pytest.param(make_keras_file(), id="a Keras file"),
        pytest.param(build_memory_bomb(at_load=True), id="a memory bomb"),
        pytest.param(build_with_external_data("golden.json"), id="external data"),
        pytest.param(
            build_scores(node("Evil", [FIRST], ["x"], domain="evil"), last="x", domains=["evil"]),
            id="a custom operator",
        ),
    ],
)
def test_a_bad_graph_is_refused_in_one_sentence(model: bytes, tmp_path: Path) -> None:
    write_small_package(tmp_path / "package", changed={"model.onnx": model})
    check_refusal(verify(tmp_path / "package", "--json"))


@pytest.mark.parametrize("command", [("verify",), ("publish", "--json"), ("publish", "--reason", "x")])
def test_a_keras_file_is_no_package_and_its_owner_is_told_where_it_becomes_one(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(make_keras_file())
    done = run("model", *command, path, data_dir=tmp_path / "data")
    check_sentence(
        done,
        f"{path} is a Keras file, which can hold code of whoever made it: only "
        "flagrank.training.package opens one. Make a package of it there, and name that.",
    )


def check_refusal(result: subprocess.CompletedProcess[str]) -> None:
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(".\n")
