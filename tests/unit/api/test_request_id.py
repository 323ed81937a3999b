"""Request ids: the caller's where it is plain, else one of ours."""

import pytest

from flagrank.api.request_id import make_request_id, read_request_id


@pytest.mark.parametrize("given", [b"a", b"A-Z.0_9", b"x" * 128])
def test_a_plain_id_is_kept(given: bytes) -> None:
    assert read_request_id({b"x-request-id": given}) == given.decode()


@pytest.mark.parametrize("given", [b"", b"a\n", b"x" * 129, b"\xc3\xa9", b"a b"])
def test_another_is_replaced_by_one_that_would_be_kept(given: bytes) -> None:
    replaced = read_request_id({b"x-request-id": given})
    assert replaced.encode() != given
    assert read_request_id({b"x-request-id": replaced.encode()}) == replaced


def test_no_id_is_made_twice() -> None:
    assert len({make_request_id() for _ in range(1_000)}) == 1_000
