"""What a platform's servers post to us, and what they get for it; whichever way the request came in."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol


class Post(NamedTuple):
    """One request: the query of its address, its headers by their names in lower case, its whole body.

    `is_gone` tells whether whoever asked has hung up by now.
    """

    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    is_gone: Callable[[], bool]


class Reply(NamedTuple):
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = b"application/json"


class Callback(Protocol):
    """What answers at `path`, for bodies of at most `largest` bytes."""

    path: str
    largest: int

    def answer(self, post: Post) -> "Reply | Awaitable[Reply | None]":
        """The reply, at once where nothing has to be waited for; None hangs up without one.

        Raises nothing: what goes wrong is a reply too.
        """
