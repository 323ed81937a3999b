"""Pages for people on the same use cases as the API: Jinja2 and htmx, every asset in the package."""

from flagrank.console.application import create_console
from flagrank.console.model_pages import ModelParts

__all__ = ["ModelParts", "create_console"]
