"""The size of what a form sends."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive


def limit_body(request: Request, most: int, advice: str) -> Request:
    """The request, but reading its body raises an error that a page answers once it is larger."""
    left = most

    async def receive() -> Message:
        nonlocal left
        message: Message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"The file is larger than {most:,} bytes. {advice}")
        return message

    receiving: Receive = receive
    return Request(request.scope, receiving)
