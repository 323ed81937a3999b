"""What every request passes first: it gets its id, the guard looks at it, it goes on to what answers it."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagrank.api.guard import Guard
from flagrank.api.problems import send_problem
from flagrank.api.request_id import read_request_id

PREDICTION = "/prediction"


class Entrance:
    """The outermost ASGI application; it leaves `request_id` and `headers`, a dict, in `scope["state"]`.

    Scoring requests go straight to their route. Through FastAPI's middleware and router they would get the
    same answer for half as much time again (measured: all that wait on a model call hold ten frames more).
    """

    def __init__(
        self, application: ASGIApp, prediction: ASGIApp, guard: Guard, is_draining: Callable[[], bool]
    ) -> None:
        """While `is_draining()` every answer says `Connection: close`: kept connections go elsewhere."""
        self._application = application
        self._prediction = prediction
        self._guard = guard
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        headers = dict(scope["headers"])
        request_id = read_request_id(headers)
        scope["state"].update(request_id=request_id, headers=headers)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if self._is_draining():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        refusal = self._guard.find_refusal(scope, headers)
        if refusal is not None:
            await send_problem(scope, send_with_id, refusal)
        elif scope["path"] == PREDICTION and scope["method"] == "POST":
            await self._prediction(scope, receive, send_with_id)
        else:
            await self._application(scope, receive, send_with_id)
