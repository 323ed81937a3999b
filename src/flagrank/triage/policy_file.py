"""A policy's TOML -> the policy, or every fault in it: the types of `triage.policy` are the rules."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise

import msgspec
from msgspec import inspect

from flagrank.triage.errors import FieldProblem, PolicyRefused
from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, is_plain_text, show
from flagrank.triage.policy import FALLBACK_REASON, Policy
from flagrank.triage.report import MAX_ID_CHARS

MAX_POLICY_CHARS = 100_000
MAX_POLICY_BYTES = 4 * MAX_POLICY_CHARS
MAX_LINE_CHARS = 400  # the parser takes minutes over a key of fifty thousand parts
MAX_ENTRIES = 200  # of a table or an array: reasons, abuse types, deadlines, moderators
MAX_POLICY_NAME_CHARS = 64
MAX_PROBLEMS = 20

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POLICY_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_POLICY_NAME_CHARS - 1}}}")

_Faults = Iterator[tuple[str, str]]  # where, and the rest of the sentence


def decode_policy(content: bytes, source: str) -> str:
    """The text of a file or body, its lines ending in LF, so that it is the same by whatever way it came.

    Raises `PolicyRefused` where it is no UTF-8, or far too long.
    """
    if len(content) > MAX_POLICY_BYTES:
        raise PolicyRefused(
            f"{source} has {len(content):,} bytes; expected at most {MAX_POLICY_CHARS:,} characters. "
            "Send a policy."
        )
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise PolicyRefused(
            f"{source} is no TOML: byte {error.start} is not UTF-8. Save it in UTF-8."
        ) from error


def parse_policy(text: str, source: str, version: int) -> Policy:
    """Read a whole policy from TOML; `source` names it in errors, `version` is the number it gets.

    Raises `PolicyRefused` naming what breaks a rule, at most 20 places; nothing of such a file is used.
    """
    if len(text) > MAX_POLICY_CHARS:
        raise PolicyRefused(
            f"{source} has {len(text):,} characters; expected at most {MAX_POLICY_CHARS:,}. Send a policy."
        )
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE_CHARS:
            raise PolicyRefused(
                f"{source}: line {number} has {len(line):,} characters; expected at most {MAX_LINE_CHARS}. "
                "Make it shorter."
            )
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib's own error, and that of an endless integer
        raise PolicyRefused(f"{source} is no TOML: {error}. Mend the file at that place.") from error
    if "version" in document:
        _refuse(source, iter([("version", "is given by the store. Remove it.")]))
    document["version"] = version
    _refuse(source, _find_misfits(inspect.type_info(Policy), document, ""))
    policy = msgspec.convert(document, Policy)
    _refuse(source, _find_contradictions(policy))
    return policy


def _refuse(source: str, faults: _Faults) -> None:
    problems = [
        FieldProblem(path, f"{source}: {path} {fault}") for path, fault in islice(faults, MAX_PROBLEMS)
    ]
    if not problems:
        return
    count = len(problems)
    more = f"{source} has {count}{' or more' if count == MAX_PROBLEMS else ''} faults. " if count > 1 else ""
    raise PolicyRefused(more + problems[0].detail, problems)


def _find_misfits(expected: inspect.Type, value: object, path: str) -> _Faults:
    """What does not have the shape, the type or the range that a policy's types say."""
    match expected:
        case inspect.StructType(fields=fields) if isinstance(value, dict):
            yield from _find_misfits_of_table(fields, value, path)
        case inspect.DictType(value_type=inspect.Type() as inner) if isinstance(value, dict):
            for key, one in value.items():
                yield from _find_misfits(inner, one, _join(path, key))
        case inspect.VarTupleType(item_type=inner) if isinstance(value, list):
            for index, one in enumerate(value):
                yield from _find_misfits(inner, one, f"{path}[{index}]")
        case inspect.FloatType() | inspect.IntType() if _is_within(expected, value):
            return
        case inspect.StrType() if isinstance(value, str):
            return
        case _:
            yield path, f"is {show(value)}; expected {_describe(expected)}. Change it."


def _find_misfits_of_table(fields: tuple[inspect.Field, ...], table: dict[str, object], path: str) -> _Faults:
    known = {field.name: field for field in fields}
    for key, value in table.items():
        place = _join(path, key)
        if key in known:
            yield from _find_misfits(known[key].type, value, place)
        else:
            yield place, "is no key of a policy. Remove it or correct its name."
    for name, field in known.items():
        if field.required and name not in table:
            yield _join(path, name), f"is missing; expected {_describe(field.type)}. Add it."


def _find_contradictions(policy: Policy) -> _Faults:
    """What each fits by itself, and does not fit together."""
    if not _POLICY_NAME.fullmatch(policy.name):
        rule = f"1 to {MAX_POLICY_NAME_CHARS} lower case letters, digits, dots, dashes and underscores"
        yield "name", f"is {show(policy.name)}. Use {rule}, the first a letter or a digit."
    if FALLBACK_REASON not in policy.severities:
        yield f"severities.{FALLBACK_REASON}", "is missing; reports without a reason count as it. Add it."
    yield from _find_bad_keys("severities", policy.severities)
    yield from _find_bad_keys("exposure.life_hours", policy.exposure.life_hours)
    yield from _find_bad_keys("severities_by_abuse_type", policy.severities_by_abuse_type)
    for abuse_type, severities in policy.severities_by_abuse_type.items():
        for reason in severities:
            if reason not in policy.severities:
                place = _join(_join("severities_by_abuse_type", abuse_type), reason)
                yield place, "is no reason of [severities]. Add it there, or remove it here."
    yield from _find_bad_deadlines(policy)
    yield from _find_bad_moderators(policy)


def _find_bad_keys(path: str, entries: Mapping[str, object], max_chars: int = MAX_CATEGORY_CHARS) -> _Faults:
    if len(entries) > MAX_ENTRIES:
        yield path, f"has {len(entries):,} entries; expected at most {MAX_ENTRIES}. Remove some."
    for key in entries:
        if not is_plain_text(key, max_chars):
            yield _join(path, key), f"has a name that can't be used. Use {_limit(max_chars)}."


def _limit(max_chars: int) -> str:
    return f"1 to {max_chars} characters without control characters"


def _find_bad_moderators(policy: Policy) -> _Faults:
    yield from _find_bad_keys("moderator_ids", policy.moderator_ids, MAX_ID_CHARS)
    for name, ids in policy.moderator_ids.items():
        place = _join("moderator_ids", name)
        if len(ids) > MAX_ENTRIES:
            yield place, f"has {len(ids):,} entries; expected at most {MAX_ENTRIES}. Remove some."
        for index, one in enumerate(ids):
            if not is_plain_text(one, MAX_ID_CHARS):
                yield f"{place}[{index}]", f"is {show(one)}, no id. Use {_limit(MAX_ID_CHARS)}."


def _find_bad_deadlines(policy: Policy) -> _Faults:
    deadlines = policy.deadlines
    if not 1 <= len(deadlines) <= MAX_ENTRIES:
        yield "deadlines", f"has {len(deadlines):,} entries; expected 1 to {MAX_ENTRIES}. Change it."
    elif deadlines[0].from_severity != 0:
        yield "deadlines[0].from_severity", "is not 0: some reports would have no deadline. Begin with 0."
    for index, (before, after) in enumerate(pairwise(deadlines), start=1):
        if after.from_severity <= before.from_severity:
            yield f"deadlines[{index}].from_severity", "does not rise. Sort the deadlines by severity."
        if after.hours > before.hours:
            yield (
                f"deadlines[{index}].hours",
                f"is {after.hours:g}, more than a lower severity has. Give the more severe no longer time.",
            )


def _is_within(expected: inspect.FloatType | inspect.IntType, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(expected, inspect.IntType) and not isinstance(value, int):
        return False
    # Written so that NaN, which TOML has, is within nothing.
    return (
        (expected.ge is None or value >= expected.ge)
        and (expected.gt is None or value > expected.gt)
        and (expected.le is None or value <= expected.le)
        and (expected.lt is None or value < expected.lt)
    )


def _describe(expected: inspect.Type) -> str:
    match expected:
        case inspect.FloatType(ge=least, gt=above, le=most, lt=below):
            if least is not None:
                return f"a number from {least:g} to {most:,.9g}"
            return f"a number over {above:g} and " + (f"under {below:g}" if below else f"at most {most:,.9g}")
        case inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most:,}"
        case inspect.StrType():
            return "a text"
        case inspect.VarTupleType(item_type=inspect.StrType()):
            return "an array of texts"
        case inspect.VarTupleType():
            return "an array of tables"
        case _:
            return "a table"


def _join(path: str, key: str) -> str:
    shown = key if _BARE_KEY.fullmatch(key) else show(key)
    return f"{path}.{shown}" if path else shown
