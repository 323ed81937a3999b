"""A good package to spoil."""

from pathlib import Path

import pytest

from tests.packages import write_small_package


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_small_package(tmp_path / "package")
    return tmp_path / "package"
