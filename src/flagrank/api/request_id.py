"""The request's id, which stands in every answer and every problem."""

import re
import secrets
from collections.abc import Mapping
from itertools import count

_VALID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Unique, not secret: to ask the system for random bytes takes longer than all else that is done here.
_PROCESS = secrets.token_hex(6)
_NUMBERS = count(1)


def read_request_id(headers: Mapping[bytes, bytes]) -> str:
    """The caller's `X-Request-Id` where it is plain, else a new one."""
    given = headers.get(b"x-request-id")
    return given.decode() if given and _VALID.fullmatch(given) else make_request_id()


def make_request_id() -> str:
    """An id that no other request has."""
    return f"{_PROCESS}-{next(_NUMBERS)}"
