"""The Markdown pages of this repository, and what the tests look for in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "flagrank"
REFERENCE = ROOT / "docs" / "reference"
DECISIONS = ROOT / "docs" / "decisions"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"\b(?:src|tests|docs|benchmarks|examples|tools)/[\w./-]*\w\.\w+")
_MODULE = re.compile(r"`((?!src|tests|benchmarks|examples|tools)\w+/\w+\.py)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text without the fences."""

    language: str
    text: str


def find_pages() -> list[Path]:
    """Every page that is written for people."""
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]


def read_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*match.groups()) for match in _FENCE.finditer(page.read_text())]


def find_links(page: Path) -> list[str]:
    """The targets of a page's links and pictures."""
    return _LINK.findall(page.read_text())


def find_paths(page: Path) -> list[Path]:
    """Files that a page names, linked or not; `room/module.py` is in the package."""
    text = page.read_text()
    named = [ROOT / path for path in _PATH.findall(text)]
    return named + [SOURCES / path for path in _MODULE.findall(text)]


def find_anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: the headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read_section(page: Path, heading: str) -> str:
    """The text under a heading, up to the next one of its level."""
    level = heading.split(" ", 1)[0]
    _, found, rest = page.read_text().partition(f"{heading}\n")
    assert found, f"{page.name} has no {heading}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def read_rows(text: str) -> Iterator[list[str]]:
    """The cells of each table row in a text, but for headers and the lines beneath them."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "---" not in line and "---" not in following:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def read_codes(text: str) -> list[str]:
    """What stands between backquotes."""
    return re.findall(r"`([^`]+)`", text)
