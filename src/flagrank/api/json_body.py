"""JSON objects as bodies: read into a struct, or refused with every bad field named."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, NoReturn, TypeVar

import msgspec

from flagrank.api.problems import HttpProblem
from flagrank.triage.errors import FieldProblem, MalformedBody, shorten
from flagrank.triage.feature_schema import has_control_characters
from flagrank.triage.report_problems import MAX_PROBLEMS, TEXT_CONTROLS

_PLACE = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_SHOWN_CHARS = 40

_Body = TypeVar("_Body", bound=msgspec.Struct)


class _Object(dict[str, Any]):
    """A JSON object that knows which names were given more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.repeated = {name for name, count in counts.items() if count > 1}


def decode_body(body: bytes, kind: type[_Body], many_lines: Collection[str] = ()) -> _Body:
    """The body as this struct; texts hold no control characters, those of `many_lines` but newline and tab.

    Raises `MalformedBody`, or `HttpProblem` with up to 20 bad fields.
    """
    document = _parse(body)
    if not isinstance(document, _Object):
        _refuse([_describe("body", "is no object")])
    problems = list(islice(_find_problems(document, kind, many_lines), MAX_PROBLEMS))
    if problems:
        _refuse(problems)
    return msgspec.convert(dict(document), kind)


def _parse(body: bytes) -> object:
    try:
        return json.loads(
            body.decode(),
            object_pairs_hook=_Object,
            parse_float=_read_number,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8
        raise MalformedBody(
            "The body is no JSON. Send an object, with Content-Type application/json."
        ) from error


def _read_number(text: str) -> int | float:
    """12.0 is 12, as JSON Schema has it."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _find_problems(
    document: _Object, kind: type[msgspec.Struct], many_lines: Collection[str]
) -> Iterator[FieldProblem]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in document:
        if name not in fields:
            yield _describe(f"body.{shorten(name, _SHOWN_CHARS)}", "is no field of it")
        elif name in document.repeated:
            yield _describe(f"body.{name}", "is given twice")
    for name, field in fields.items():
        if field.required and name not in document:
            yield _describe(f"body.{name}", "is missing")
    for name, value in document.items():
        if name in fields and name not in document.repeated:
            yield from _find_bad_value(f"body.{name}", value, fields[name].type, has_lines=name in many_lines)


def _find_bad_value(path: str, value: object, kind: object, *, has_lines: bool) -> Iterator[FieldProblem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _PLACE.fullmatch(str(error))
        reason, place = found.groups() if found else (str(error), None)
        yield _describe(f"{path}{place or ''}", f"can't be read: {_tell(reason, kind)}")
        return
    texts: Iterable[tuple[str, object]] = [(path, value)]
    if isinstance(value, list):
        texts = ((f"{path}[{index}]", one) for index, one in enumerate(value))
    for place, text in texts:
        if isinstance(text, str) and has_control_characters(text, TEXT_CONTROLS if has_lines else ""):
            yield _describe(place, "holds a control character or half of a surrogate pair")


def _tell(reason: str, kind: object) -> str:
    """What msgspec says; of words it names the wrong one only, and here the right ones."""
    words = msgspec.inspect.type_info(kind)
    if isinstance(words, msgspec.inspect.EnumType):
        return f"Expected {', '.join(word.value for word in words.cls)}"
    if isinstance(words, msgspec.inspect.LiteralType):
        return f"Expected {', '.join(map(str, words.values))}"
    return shorten(reason)


def _describe(path: str, reason: str) -> FieldProblem:
    return FieldProblem(path, f"{path} {reason}. See /docs for what it takes.")


def _refuse(problems: list[FieldProblem]) -> NoReturn:
    raise HttpProblem(422, "invalid_body", problems[0].detail, fields=problems)
