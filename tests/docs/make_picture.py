"""Takes the README's picture: the upper part of the bundled model's training report, as a browser shows it.

Run it from the checkout after `make model`: python tests/docs/make_picture.py
"""

import hashlib
import io
import shutil
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "src" / "flagrank" / "demo_model" / "report.html"
PICTURE = ROOT / "docs" / "images" / "training-report.png"
WIDTH, HEIGHT = 1_100, 1_700
COLOURS = 128  # a palette: a third of the bytes, and no difference to be seen
SOURCE_KEY = "report-sha256"


def read_source(picture: Path) -> str:
    """The sha256 of the report that a picture says it was taken of; empty where it says nothing."""
    with Image.open(picture) as image:
        return str(image.info.get(SOURCE_KEY, ""))


def hash_report() -> str:
    """The sha256 of the bundled model's report."""
    return hashlib.sha256(REPORT.read_bytes()).hexdigest()


def take_picture(picture: Path = PICTURE) -> None:
    """Open the report in Chromium and keep what it shows, with the report's hash beside the pixels."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(REPORT.as_uri())
        shot = page.screenshot()
        browser.close()
    source = PngInfo()
    source.add_text(SOURCE_KEY, hash_report())
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS).save(picture, optimize=True, pnginfo=source)


if __name__ == "__main__":
    take_picture()
