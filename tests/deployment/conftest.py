"""The image, built by hand once for all tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.image import Image, build_image


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """What the Dockerfile makes, in a folder that other users may enter."""
    root = Path(tempfile.mkdtemp(prefix="flagrank-image-"))
    root.chmod(0o755)
    try:
        yield build_image(root)
    finally:
        shutil.rmtree(root)
