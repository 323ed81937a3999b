"""The built wheel, installed with the serving lock into an environment of its own."""

import signal
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.wheel.installed_server import serving

MEGABYTE = 1_000_000
FIRST_CURL = [{"abuse_type": "MSG", "report_text_len": 0, "profile_rating": 0, "popularity": 0}]

pytestmark = pytest.mark.timeout(600)


def test_the_wheel_holds_the_package_and_nothing_of_the_checkout(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"flagrank"}
    assert "flagrank/py.typed" in names
    assert "flagrank/default_schema.toml" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_bundled_model_takes_at_most_one_megabyte(wheel: Path) -> None:
    sizes = [
        f.file_size
        for f in zipfile.ZipFile(wheel).infolist()
        if f.filename.startswith("flagrank/demo_model/")
    ]
    assert 0 < sum(sizes) <= MEGABYTE


def test_the_serving_install_takes_at_most_220_megabytes(environment: Path) -> None:
    files = [path for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files if path.suffix != ".pyc") <= 220 * MEGABYTE


def test_the_installed_server_answers_the_first_designs_curl_and_stops_cleanly(
    environment: Path, tmp_path: Path
) -> None:
    with serving(environment, tmp_path, "--demo") as (process, address):
        answer = httpx.post(f"{address}/prediction", json=FIRST_CURL)
        assert answer.status_code == 200
        prediction = answer.json()
        assert len(prediction["scores"]) == 1
        assert 0 < prediction["scores"][0] < 1
        assert prediction["ranking"] == [0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_a_command_whose_extra_is_missing_names_the_extra(environment: Path, tmp_path: Path) -> None:
    command = [
        str(environment / "bin" / "flagrank"),
        "train",
        "--data",
        "reports.csv",
        "--target",
        "actionable",
    ]
    answer = subprocess.run(
        [*command, "--architecture", "xgboost", "--out", "model"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "flagrank[train]" in answer.stderr
    assert "Traceback" not in answer.stderr
