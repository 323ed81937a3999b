import msgspec
import pytest
import typer
from typer.testing import CliRunner

from flagrank.cli.output import CommandGroup, print_json
from flagrank.triage.errors import FieldProblem, InvalidReports, PackageRefused

application = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)
PROBLEMS = [FieldProblem("a", "a is bad. Mend it."), FieldProblem("b", "b is bad. Mend it.")]


@application.command()
def refuse() -> None:
    raise PackageRefused("The package is bad. Make it again.")


@application.command()
def refuse_fields() -> None:
    raise InvalidReports("2 fields are bad. a is bad. Mend it.", PROBLEMS)


@application.command()
def exhaust() -> None:
    raise MemoryError


@application.command()
def fail() -> None:
    raise ZeroDivisionError


@application.command()
def answer() -> None:
    print_json({"name": "Jürgen", "score": 0.5, "none": None})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("refuse", "The package is bad. Make it again.\n"),
        ("refuse-fields", "2 fields are bad. a is bad. Mend it.\n  b is bad. Mend it.\n"),
        ("exhaust", "There is not enough memory for this. Use fewer rows, or a larger machine.\n"),
    ],
)
def test_what_a_user_can_cause_is_told_on_standard_error_with_exit_1(command: str, said: str) -> None:
    result = CliRunner().invoke(application, [command])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)


def test_wrong_usage_is_exit_2() -> None:
    assert CliRunner().invoke(application, ["refuse", "--unknown"]).exit_code == 2


def test_an_error_of_ours_keeps_its_traceback() -> None:
    assert isinstance(CliRunner().invoke(application, ["fail"]).exception, ZeroDivisionError)


def test_a_document_is_one_json_value_in_utf_8() -> None:
    result = CliRunner().invoke(application, ["answer"])
    assert result.exit_code == 0
    assert msgspec.json.decode(result.stdout_bytes) == {"name": "Jürgen", "score": 0.5, "none": None}
