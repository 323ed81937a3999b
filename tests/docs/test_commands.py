"""Every command of README and tutorials runs, in a folder of its own, and prints what the page says.

A block of code that begins with a file's name is in that file.
"""

import json
import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.docs.documents import ROOT, Block, read_blocks
from tests.docs.terminal import Terminal, tell_apart, tell_words_apart

OUTPUTS = {"text", "json"}
COMPARED = OUTPUTS | {"example"}  # the figures of an example are others each time
NOT_RUN = {
    "make test\n",  # it would run this test
    ".venv/bin/python examples/kill_the_worker.py\n",  # tests/durability runs it, on both databases
}
ANSWERS = {"scores", "errors", "task_id", "tasks", "cases"}  # one of these is in what a curl shows
CLOSE = {"scores", "priorities"}  # processors differ in the last bits

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    "page", ["README.md", "docs/tutorial.md", "docs/tutorial-bring-your-own.md", "docs/reference/policy.md"]
)
def test_the_commands_of_a_page_run_and_print_what_it_says(page: str, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        run_page(page, terminal)


def test_no_request_fails_while_two_architectures_change_places(tmp_path: Path) -> None:
    page = "docs/tutorial-two-architectures.md"
    with Terminal(tmp_path) as terminal:
        run_page(page, terminal)
        told = terminal.stop_load()
    said = read_blocks(ROOT / page)[-1].text
    assert tell_words_apart(said, told) is None, told
    for text in (said, told):
        assert re.findall(r"version (\d+) answers", text) == ["1", "2", "3", "2"], told
    assert (counted := re.search(r"^0 of (\d+) requests failed$", told, re.MULTILINE)), told
    assert int(counted[1]) > 2_000


def run_page(page: str, terminal: Terminal) -> None:
    """Save its files, run its commands, and compare what they print."""
    blocks = read_blocks(ROOT / page)
    if any("keras" in block.text for block in blocks) and not find_spec("tensorflow"):
        pytest.skip("TensorFlow has no release for this Python")
    for block, following in pairwise([*blocks, Block("", "")]):
        if name := re.match(r"# (\w+\.(?:py|toml))\n", block.text):
            terminal.write(name[1], block.text)
        if block.language != "sh" or block.text in NOT_RUN:
            continue
        printed = terminal.run(block)
        if following.language in COMPARED:
            _compare(following, printed, terminal)
        if "curl" in block.text:
            assert ANSWERS & json.loads(printed).keys(), printed


def _compare(said: Block, printed: str, terminal: Terminal) -> None:
    if said.language != "json":
        tell = tell_apart if said.language == "text" else tell_words_apart
        difference = tell(said.text, printed)
        assert difference is None, difference
        return
    expected, found = (json.loads(text) for text in (said.text, printed))
    if "task_id" in expected:
        terminal.note(expected["task_id"], found["task_id"])
    assert found.keys() == expected.keys(), printed
    for name, value in expected.items():
        assert _is_alike(name, value, found[name]), printed


def _is_alike(name: str, said: Any, found: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a field is as the page says; ids and times are others each time."""
    if name in CLOSE:
        return bool(found == pytest.approx(said, rel=1e-6))
    if name.endswith("_at"):
        return (said is None) == (found is None)
    return name in {"request_id", "task_id"} or said == found


def test_both_pages_have_commands_and_outputs_to_compare() -> None:
    for page in ("README.md", "docs/tutorial.md"):
        languages = [block.language for block in read_blocks(ROOT / page)]
        assert languages.count("sh") >= 5
        assert set(languages) >= OUTPUTS


@pytest.mark.parametrize(
    ("said", "printed"),
    [("auc 0.8666", "auc 0.9666"), ("in model;", "in models;"), ("a b", "a"), ("rows 20,000", "rows 25,000")],
)
def test_outputs_that_differ_are_told_apart(said: str, printed: str) -> None:
    assert tell_apart(said, printed)


def test_hashes_and_last_digits_do_not_count() -> None:
    said = "m sha256:9431ecdc9ac4 (2026-11-25T03:16:19Z) 0.8666"
    assert tell_apart(said, "m sha256:000000000000 (2027-01-25T00:00:00Z) 0.8701") is None
