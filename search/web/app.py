"""The web application over an open index: routes, errors, and the guard before them."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp

from search.index import EntityIndex
from search.query import MalformedQuery
from search.web import api, pages
from search.web.api import NotThere, failure
from search.web.guard import Access, Guard
from search.web.pages import environment, rendered
from search.web.streams import Streams, TooManyStreams
from tagstream.errors import BadSettings, CorruptState, Retryable
from tagstream.text.terminal_text import visible

_MESSAGE_LENGTH = 500


def create_app(index: EntityIndex, *, access: Access, index_name: str, streams: Streams | None = None) -> ASGIApp:
    """Makes the application; the caller opens and closes the index.

    Args:
        index: the index that is shown.
        access: who may ask.
        index_name: the name of the index on the pages, without secrets.
        streams: the open streams, so that the caller can end them.
    """
    app = FastAPI(
        title="tagstream",
        description="Posts, names, trends and events of an index. Read-only.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,  # else a request chooses the address that it is sent to
    )
    app.state.access = access
    app.state.index = index
    app.state.index_name = index_name
    app.state.streams = streams or Streams(index)
    app.state.environment = environment()
    app.include_router(api.router)
    app.include_router(pages.router)
    _handle_errors(app)
    return Guard(app, access)


def _handle_errors(app: FastAPI) -> None:
    """Says every error as JSON to the API, and as a page to people."""

    @app.exception_handler(BadSettings)
    async def bad_question(request: Request, error: BadSettings) -> Response:
        return _answer(request, 400, str(error), error)

    @app.exception_handler(RequestValidationError)
    async def bad_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _answer(request, 422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(NotThere)
    async def not_there(request: Request, error: NotThere) -> Response:
        return _answer(request, 404, str(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return _answer(request, error.status_code, str(error.detail))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        del error
        return _answer(request, 400, "The connection ended before the request did.")

    @app.exception_handler(Retryable)
    async def away(request: Request, error: Retryable) -> Response:
        return _answer(request, 503, f"The index does not answer at the moment: {error}")

    @app.exception_handler(CorruptState)
    async def damaged(request: Request, error: CorruptState) -> Response:
        return _answer(request, 500, str(error))

    @app.exception_handler(TooManyStreams)
    async def too_many_streams(request: Request, error: TooManyStreams) -> Response:
        del error
        return _answer(
            request, 503, "As many streams are open as this server keeps, of one address or of all: close one."
        )

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return _answer(request, 500, f"tagstream failed ({type(error).__name__}); its log says more.")


def _answer(request: Request, status: int, message: str, error: BadSettings | None = None) -> Response:
    message = visible(message, _MESSAGE_LENGTH)
    headers = {"Retry-After": "5"} if status == 503 else None
    if request.url.path.startswith("/api/"):
        known = isinstance(error, MalformedQuery) and error.start is not None
        place = (error.start, error.end) if known else None  # type: ignore[union-attr]
        return failure(status, message, headers, place)
    response = rendered(
        request,
        "error.html",
        status=status,
        message=message,
        excerpt="" if error is None else error.excerpt,
        query=request.query_params.get("q", "")[:2_000],
        title="Error",
    )
    response.headers.update(headers or {})
    return response
