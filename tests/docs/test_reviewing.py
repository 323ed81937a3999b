"""The page for moderators names the keys that there are, in the words of the console's own help."""

import re

from tests.docs.documents import ROOT, SOURCES

CONSOLE = SOURCES / "console"


def test_the_keys_of_the_page_are_those_of_the_console() -> None:
    told = dict(
        re.findall(r"^\| `(.)` \| (.+) \|$", (ROOT / "docs" / "reviewing.md").read_text(), re.MULTILINE)
    )
    page = (CONSOLE / "templates" / "review.html.jinja").read_text()
    helped = dict(re.findall(r"<dt><kbd>(.)</kbd></dt><dd>(.+)</dd>", page))
    buttons = set(re.findall(r'key\("\w+", "(.)"', page))
    script = (CONSOLE / "assets" / "review" / "review.js").read_text()
    keys = re.search(r"^const keys = \{(.+)\};", script, re.MULTILINE)
    assert keys
    heeded = set(re.findall(r'"?([a-z?])"?: "\w+"', keys[1]))
    assert told == helped
    assert set(told) == buttons == heeded
