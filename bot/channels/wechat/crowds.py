"""One message to many followers: they are given a tag, the message goes to the tag, and the tag goes."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from bot.channels.wechat import encode
from bot.channels.wechat.api import Api
from bot.channels.wechat.errors import ApiError, Unclear, undelivered
from bot.channels.wechat.push import parts
from bot.messages import Outgoing

MOST_TAGGED = 50
# There is no such tag any more.
_NO_TAG = 45159

T = TypeVar("T")


class Crowds:
    """Mass messages of one account. Everything raises Undelivered; everything may be done twice."""

    def __init__(self, api: Api, now: Callable[[], datetime]) -> None:
        self._api = api
        self._now = now

    async def gather(self, name: str, users: Sequence[str]) -> int:
        """The number of a group of these followers, called `name`."""
        group = await self._said(self._api.make_tag(name))
        for n in range(0, len(users), MOST_TAGGED):
            await self._said(self._api.tag(group, users[n : n + MOST_TAGGED]))
        return group

    async def send(self, group: int, message: Outgoing, *, key: str) -> str:
        """Send it to the group once for each `key`; returns the platform's number for it."""
        (text,) = parts(encode.encode(message), most=1)
        number = await self._said(self._api.send_to_tag(group, text, key=key))
        if not number:
            raise undelivered(Unclear("no number"), self._now())
        return number

    async def release(self, group: int) -> None:
        """Forget the group."""
        try:
            await self._api.drop_tag(group)
        except ApiError as error:
            if error.code != _NO_TAG:
                raise undelivered(error, self._now()) from None

    async def _said(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except ApiError as error:
            raise undelivered(error, self._now()) from None
