"""What a body may be: JSON in UTF-8, uncompressed."""

import gzip
import json

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, RunningServer

BODY = json.dumps([REPORT]).encode()
MEBIBYTE = 2**20


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/problem+json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json, text/plain",
    ],
)
def test_other_media_types_are_415_and_name_the_right_one(server: RunningServer, content_type: str) -> None:
    answer = server.predict(BODY, {"Content-Type": content_type})
    check_problem(answer, 415, "unsupported_media_type")
    assert answer.headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
    ],
)
def test_json_in_utf8_is_taken_however_it_is_written(server: RunningServer, content_type: str) -> None:
    assert server.predict(BODY, {"Content-Type": content_type}).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-unknown", "gzip, identity"])
def test_compressed_bodies_are_415_and_say_so(server: RunningServer, encoding: str) -> None:
    """CASES G03."""
    answer = server.predict(gzip.compress(BODY), {"Content-Encoding": encoding})
    check_problem(answer, 415, "unsupported_encoding")
    assert answer.headers["Accept-Encoding"] == "identity"


def test_a_gibibyte_of_gzipped_spaces_leaves_memory_unmoved(server: RunningServer) -> None:
    """CASES G03."""
    bomb = gzip.compress(b" " * MEBIBYTE) * 1_024
    before = server.read_memory()
    check_problem(server.predict(bomb, {"Content-Encoding": "gzip"}), 415, "unsupported_encoding")
    assert server.read_memory() - before < 16 * MEBIBYTE


def test_an_identity_encoding_is_no_encoding(server: RunningServer) -> None:
    assert server.predict(BODY, {"Content-Encoding": "identity"}).status == 200
