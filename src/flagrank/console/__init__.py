"""Pages for people on the same use cases as the API: Jinja2 and htmx, every asset in the package."""

from flagrank.console.application import create_console

__all__ = ["create_console"]
