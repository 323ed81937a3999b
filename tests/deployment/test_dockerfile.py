import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deployment.image import DOCKERFILE, ROOT, USER, Image, confine, read_stages, read_words

STAGES = read_stages()
INSTRUCTIONS = [instruction for stage in STAGES for instruction in stage.instructions]
PINNED = re.compile(r"[a-z]+:\d+\.\d+(?:\.\d+)?-[a-z-]+")

pytestmark = pytest.mark.timeout(600)


def find_copied() -> list[str]:
    """What is copied from the checkout."""
    copies = [each.rest.split() for each in INSTRUCTIONS if each.word == "COPY"]
    return [source for words in copies if not words[0].startswith("--") for source in words[:-1]]


def test_every_stage_starts_from_a_plain_name_with_a_whole_version_and_a_release_of_debian() -> None:
    assert len(STAGES) == 3
    assert all(PINNED.fullmatch(stage.base) for stage in STAGES)
    assert len({stage.base for stage in STAGES}) == 1  # the environment runs on the Python that made it


def test_no_address_stands_in_the_files_of_the_deployment() -> None:
    for name in ("Dockerfile", "docker-compose.yml", "requirements/container.txt", "requirements/build.txt"):
        addresses = re.findall(r"\w+://[\w.-]+", (ROOT / name).read_text())
        assert {re.sub(r".*://", "", address) for address in addresses} <= {"127.0.0.1", "flagrank"}, name


def test_what_is_copied_exists_and_is_all_that_the_engine_is_sent() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert rules[0] == "*"
    assert sorted(rule[1:] for rule in rules if rule.startswith("!")) == sorted(find_copied())
    assert [source for source in find_copied() if not (ROOT / source).exists()] == []


def test_every_package_that_is_installed_has_its_hash_checked_or_is_our_own() -> None:
    installs = [each.rest for each in INSTRUCTIONS if each.word == "RUN" and " install " in f"{each.rest} "]
    with_pip = [command for command in installs if "pip" in command]
    assert len(with_pip) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in with_pip)


def test_the_last_stage_runs_as_a_number_that_is_not_root_and_passes_signals_on() -> None:
    last = {instruction.word: instruction.rest for instruction in STAGES[-1].instructions}
    assert last["USER"] == f"{USER}:{USER}"
    assert read_words(last["ENTRYPOINT"]) == ["flagrank"]
    assert read_words(last["CMD"]) == ["serve"]


def test_the_commands_of_all_stages_make_a_flagrank_that_answers(image: Image) -> None:
    scratch = image.root / "scratch"
    scratch.mkdir(exist_ok=True)
    for arguments in (["--help"], ["model", "verify", str(find_package(image))]):
        ran = subprocess.run(
            confine([*image.entry_point, *arguments], scratch),
            cwd=image.folder,
            env={**image.environment, "TMPDIR": str(scratch)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr


def find_package(image: Image) -> Path:
    return next(image.root.glob("opt/flagrank/lib/python*/site-packages/flagrank/demo_model"))


def test_the_environment_holds_no_installer_no_tests_and_no_training_library(image: Image) -> None:
    installed = {path.name for path in find_package(image).parents[1].iterdir()}
    assert {"flagrank", "psycopg", "onnxruntime"} <= installed
    assert installed.isdisjoint({"pip", "setuptools", "hatchling", "tests", "xgboost", "sklearn"})


def test_byte_code_is_there_since_none_can_be_written_later(image: Image) -> None:
    assert list(find_package(image).parent.glob("__pycache__/settings.*.pyc"))


def test_only_the_folder_of_the_embedded_database_belongs_to_the_user(image: Image) -> None:
    theirs = [path for path in (image.root / "opt").rglob("*") if path.lstat().st_uid == USER]
    assert theirs == []
    data = image.root / "var/lib/flagrank"
    assert (data.stat().st_uid, data.stat().st_mode & 0o777) == (USER, 0o700)
    assert image.environment["FLAGRANK_DATA_DIR"] == str(data)


def test_nothing_else_can_be_written(image: Image) -> None:
    scratch = image.root / "scratch"
    scratch.mkdir(exist_ok=True)
    script = f"touch {scratch}/free && ! touch {image.root}/opt/x && ! touch {image.folder}/x && id -u"
    ran = subprocess.run(confine(["sh", "-c", script], scratch), capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(USER)
    assert ran.stderr.count("Read-only file system") + ran.stderr.count("Permission denied") == 2
    assert os.listdir(scratch) == []  # noqa: PTH208 - it was mounted for that process only


def test_the_dockerfile_needs_no_frontend_from_a_registry() -> None:
    assert "syntax=" not in DOCKERFILE.read_text()
