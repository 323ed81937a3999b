"""Options that several commands take, said once."""

from pathlib import Path
from typing import Annotated

import typer

Labelled = Annotated[
    Path, typer.Option(metavar="FILE", help="Labelled reports: .parquet, .csv, .tsv (also .gz) or .jsonl.")
]
Target = Annotated[
    str, typer.Option(metavar="COLUMN", help="The column with the label: 0/1, true/false or yes/no.")
]
