"""Storage: the ports of tasks, models and keys on SQLite and PostgreSQL; knows tables, opens no socket itself."""
