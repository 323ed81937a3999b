"""A policy's text with other coefficients of its pool; every other line and comment as it was."""

import re

from msgspec.structs import asdict

from flagrank.triage.errors import PolicyRefused
from flagrank.triage.policy import PoolCoefficients
from flagrank.triage.policy_file import parse_policy

_DECIMALS = 4


def replace_pool(text: str, pool: PoolCoefficients, source: str) -> str:
    """Write the coefficients, rounded, into the table `[pool]`; raises `PolicyRefused` where it has none."""
    head, opening, rest = text.partition("\n[pool]")
    table, next_table, tail = rest.partition("\n[")
    for name, value in asdict(pool).items():
        table = re.sub(rf"(?m)^({name}\s*=\s*)[^\s#]+", rf"\g<1>{round(value, _DECIMALS)!r}", table)
    written = head + opening + table + next_table + tail
    expected = PoolCoefficients(*(round(value, _DECIMALS) for value in asdict(pool).values()))
    if parse_policy(written, source, version=1).pool != expected:
        raise PolicyRefused(
            f"{source} has its coefficients in no table [pool]. Write one, as flagrank's default policy does."
        )
    return written
