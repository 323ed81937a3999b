"""Reports in CSV, TSV, JSONL and Parquet files: read by the schema in batches, passed on, written."""

from flagrank.files.table import Table, read_table

__all__ = ["Table", "read_table"]
