"""Migrations of the tables, each forward and back; Alembic finds them by folder."""
