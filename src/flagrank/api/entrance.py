"""What every request passes first: its id, the guard, its key; then it goes on to what answers it."""

from collections.abc import Callable, Mapping
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagrank.api.guard import Guard
from flagrank.api.keys import KeyRing
from flagrank.api.problems import TOLD, send_problem
from flagrank.api.request_id import read_request_id
from flagrank.telemetry import set_request_id

_TASK = "/task/"
_TASK_PATH_CHARS = len(_TASK) + 36
_CASE = "/case/"


class Entrance:
    """The outermost ASGI application; it leaves `request_id` and `headers`, a dict, in `scope["state"]`.

    Frequent requests go straight to their route. Through FastAPI's middleware and router they would get the
    same answer for half as much time again (measured: all that wait on a model call hold ten frames more).
    """

    def __init__(
        self,
        application: ASGIApp,
        direct: Mapping[tuple[str, str], ASGIApp],
        guard: Guard,
        keys: KeyRing,
        *,
        is_draining: Callable[[], bool],
        observe: Callable[[str, int, float], None],
    ) -> None:
        """`direct` has routes by method and path, of which `/task/` stands for one task; `/case/` has none.

        While `is_draining()` every answer says `Connection: close`: kept connections go elsewhere. `observe`
        hears the route, the status and the seconds of each answer.
        """
        self._application = application
        self._direct = direct
        self._guard = guard
        self._keys = keys
        self._is_draining = is_draining
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        headers = dict(scope["headers"])
        request_id = read_request_id(headers)
        set_request_id(request_id)  # of all that is logged in this request's task
        scope["state"].update(request_id=request_id, headers=headers)
        begin = perf_counter()
        path: str = scope["path"]
        if len(path) == _TASK_PATH_CHARS and path.startswith(_TASK):
            path = _TASK
        elif path.startswith(_CASE):
            path = _CASE

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if self._is_draining():
                    message["headers"].append((b"connection", b"close"))
                self._observe(path, message["status"], perf_counter() - begin)
            await send(message)

        has_keys = self._keys.are_asked
        refusal = self._guard.find_refusal(scope, headers, has_keys=has_keys)
        if refusal is None and has_keys:
            try:
                refusal = await self._keys.find_refusal(scope, headers)
            except TOLD as error:  # the store does not answer
                await send_problem(scope, send_with_id, error)
                return
        if refusal is not None:
            await send_problem(scope, send_with_id, refusal)
            return
        route = self._direct.get((scope["method"], path), self._application)
        await route(scope, receive, send_with_id)
