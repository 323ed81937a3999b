"""One module a version; schema.py names the newest."""
