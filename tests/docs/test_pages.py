"""Links resolve, files that pages name exist, and pages keep the form they are meant to have."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from flagrank.storage.tables import metadata
from tests.docs.documents import (
    DECISIONS,
    ROOT,
    SOURCES,
    find_anchors,
    find_links,
    find_pages,
    find_paths,
    read_blocks,
)
from tests.docs.make_pictures import IMAGES, PICTURES, Picture
from tests.docs.terminal import MAKE_SERVE, SERVED

PAGES = find_pages()
ARCHITECTURE = IMAGES / "architecture.svg"


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in find_links(page):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), link
        assert linked.is_relative_to(ROOT), link
        if anchor:
            assert anchor in find_anchors(linked), link


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert [path for path in find_paths(page) if not path.exists()] == []


def test_the_checks_of_links_and_files_have_something_to_check() -> None:
    assert len(find_links(ROOT / "README.md")) > 20
    assert len(find_paths(ROOT / "ARCHITECTURE.md")) > 40


def test_the_layers_of_the_picture_are_those_of_the_source() -> None:
    picture = re.findall(r"^    (\S.*)$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    layers = [re.split(r"  +", line)[0].split(" | ") for line in picture]
    drawn = {name for layer in layers for name in layer}
    rooms = {f"{path.name}/" for path in SOURCES.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in SOURCES.glob("*.py")} - {"__init__.py"}
    assert drawn == rooms | modules
    contract = (ROOT / "pyproject.toml").read_text()
    declared = re.search(r"^layers = \[\n(.*?)^\]", contract, re.MULTILINE | re.DOTALL)
    assert declared
    named = [[name.split(".")[0].rstrip("/") for name in layer] for layer in layers]
    expected = [re.sub(r"[()]", "", layer) for layer in re.findall(r'"(.+)"', declared[1])]  # (optional)
    assert [" | ".join(layer) for layer in named] == expected


def test_the_architecture_fits_one_page() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 60


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_three_parts_in_forty_lines(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert len(lines) <= 40
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequences",
    ]
    assert lines[0].startswith(f"# {page.name[:4]} ")


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(page.name[:4]) for page in sorted(DECISIONS.glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_make_has_the_targets_that_pages_name() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`?\bmake (\w+)`", page.read_text())}
    named |= {
        block.text.split()[1]
        for page in PAGES
        for block in read_blocks(page)
        if block.text.startswith("make ")
    }
    assert {"serve", "test", "bench", "setup"} <= named
    assert named <= targets


def test_make_serve_runs_the_command_that_stands_in_for_it() -> None:
    _, _, recipe = (ROOT / "Makefile").read_text().partition(f"\n{MAKE_SERVE.removeprefix('make ')}:")
    assert SERVED in recipe.split("\n\n")[0]


def name_picture(picture: Picture) -> str:
    return picture.path.stem


@pytest.mark.parametrize("picture", PICTURES, ids=name_picture)
def test_a_picture_shows_what_is_there_now(picture: Picture) -> None:
    assert picture.read_source_hash() == picture.hash_sources(), "Run: python -m tests.docs.make_pictures"


@pytest.mark.parametrize("picture", PICTURES, ids=name_picture)
def test_a_picture_is_a_small_png(picture: Picture) -> None:
    assert picture.path.stat().st_size <= 200_000
    with Image.open(picture.path) as image:
        assert image.format == "PNG"
        assert len(image.getcolors() or []) > 20  # a blank page has one colour


def test_the_drawing_names_all_tables_and_routes_that_there_are() -> None:
    drawing = ET.parse(ARCHITECTURE)  # noqa: S314 - our own file
    words = {(text.text or "").strip() for text in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert set(metadata.tables) <= words
    commands = {word for word in words if word.startswith("flagrank ")}
    assert commands
    assert all(f"## {command}" in (ROOT / "docs/reference/cli.md").read_text() for command in commands)
    routes = {word.split()[-1] for word in words if "/" in word and word.split()[-1].startswith("/")}
    assert routes >= {"/prediction", "/predict", "/task", "/console", "/metrics"}
    assert all(route in (ROOT / "docs/reference/http.md").read_text() for route in routes)
