"""Pages for people on the same use cases as the API: Jinja2 and htmx, every asset in the package."""

from flagrank.console.application import create_console
from flagrank.console.model_pages import ModelParts
from flagrank.console.review_parts import ReviewParts

__all__ = ["ModelParts", "ReviewParts", "create_console"]
