"""Holds every module to the size and name budgets of this project: python tools/check_budgets.py FOLDER..."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 400
FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 40
LONG_FUNCTION_SHARE = 0.02
POSITIONAL_PARAMETERS = 5
# They name no content: whatever is put there fits.
EMPTY_WORDS = {
    "base",
    "common",
    "handler",
    "handlers",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "util",
    "utils",
}
# Terms of statistics and of XGBoost in which such a word has a meaning.
TERMS = re.compile(r"base_?(margin|rate|score|value)", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def line_count(function: Function) -> int:
    """Lines from `def` to the end of the body; decorators do not count."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def find_function_problems(function: Function) -> Iterator[str]:
    """One sentence for each budget the function breaks by itself."""
    lines = line_count(function)
    if lines > FUNCTION_LINES:
        yield f"{function.name} has {lines} lines; at most {FUNCTION_LINES}. Split it."
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    count = len(names) - (names[:1] in (["self"], ["cls"]))
    if count > POSITIONAL_PARAMETERS:
        yield (
            f"{function.name} takes {count} positional parameters; at most {POSITIONAL_PARAMETERS}. "
            "Make the others keyword-only."
        )


def find_empty_words(name: str) -> set[str]:
    """The words of a name, in snake or camel case, that tell nothing."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", TERMS.sub("", name)).lower().split("_")
    return EMPTY_WORDS.intersection(words)


def check_module(path: Path) -> tuple[list[str], list[tuple[int, str]]]:
    """The module's problems, and each of its functions as (lines, place)."""
    text = path.read_text(encoding="utf-8")
    problems, functions = [], []
    if (lines := text.count("\n")) > MODULE_LINES:
        problems.append(f"{path}: {lines} lines; at most {MODULE_LINES}. Split it by idea.")
    named: list[tuple[int, str]] = [(1, part) for part in path.with_suffix("").parts]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | Function):
            named.append((node.lineno, node.name))
        if isinstance(node, Function):
            functions.append((line_count(node), f"{path}:{node.lineno} {node.name}"))
            problems += [f"{path}:{node.lineno}: {problem}" for problem in find_function_problems(node)]
    for line, name in named:
        for word in sorted(find_empty_words(name)):
            problems.append(f'{path}:{line}: the word "{word}" in {name} tells nothing. Name what is inside.')
    return problems, functions


def main(folders: list[str]) -> int:
    """Print every problem found in the folders; 1 where there is one."""
    problems: list[str] = []
    functions: list[tuple[int, str]] = []
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.py")):
        more_problems, more_functions = check_module(path)
        problems += more_problems
        functions += more_functions
    long = sorted((lines, place) for lines, place in functions if lines > LONG_FUNCTION_LINES)
    allowed = int(LONG_FUNCTION_SHARE * len(functions))
    if len(long) > allowed:
        problems.append(f"{len(long)} functions have over {LONG_FUNCTION_LINES} lines; at most {allowed}:")
        problems += [f"    {place}: {lines} lines" for lines, place in long]
    print(*problems, sep="\n", end="\n" if problems else "")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
