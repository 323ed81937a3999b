import subprocess
from pathlib import Path

import numpy as np

from flagrank.scoring.package import read_package
from flagrank.scoring.session import ModelSession
from flagrank.scoring.verification import rows_to_matrix
from flagrank.settings import DEMO_MODEL

ROOT = Path(__file__).parents[2]


def test_the_documented_command_makes_the_bundled_model_again(tmp_path: Path) -> None:
    subprocess.run(
        ["make", "-s", "model", f"MODEL_DIR={tmp_path / 'm'}"], cwd=ROOT, check=True, capture_output=True
    )
    bundled, made = read_package(DEMO_MODEL), read_package(tmp_path / "m")
    rows = rows_to_matrix(bundled.golden.rows)
    names = bundled.manifest.schema.names
    before, after = (ModelSession(package.model, names).score(rows) for package in (bundled, made))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-6)
    if bundled.manifest.libraries == made.manifest.libraries:  # the lock, on the Python it was made with
        for path in DEMO_MODEL.iterdir():
            assert path.read_bytes() == (tmp_path / "m" / path.name).read_bytes(), path.name


def test_the_bundled_model_is_at_most_a_megabyte_and_says_that_it_is_synthetic() -> None:
    assert sum(path.stat().st_size for path in DEMO_MODEL.iterdir()) <= 1_000_000
    assert "synthetic" in read_package(DEMO_MODEL).identity.name
