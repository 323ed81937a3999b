"""`/docs`: the interactive page, with every asset in the package and no other source allowed."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

ASSETS = Path(__file__).parent / "assets"
# The page's script sets styles one by one, which needs no permission; its icons are data: links in the style
# sheet.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_documentation(application: FastAPI) -> None:
    """Serve the page and its assets."""
    page = (ASSETS / "docs.html").read_bytes()

    async def docs(_: Request) -> Response:
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "x-content-type-options": "nosniff"}
        return Response(page, media_type="text/html", headers=headers)

    application.add_route("/docs", docs, methods=["GET"], include_in_schema=False)
    application.mount("/docs/assets", StaticFiles(directory=ASSETS))
