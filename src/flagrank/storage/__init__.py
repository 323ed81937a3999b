"""Storage: the ports of tasks, models and keys, on SQLite and on PostgreSQL by the same statements."""
