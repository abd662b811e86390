"""Pictures: uploaded once, and by the name that Telegram gave them from then on."""

import asyncio
from collections import OrderedDict
from typing import Any

from telegram import InputFile
from telegram.error import BadRequest

from bot.channels.telegram.api import Api
from bot.channels.telegram.encode import Call

MOST = 32


class Photos:
    """The pictures that were sent last, and their names."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._names: OrderedDict[bytes, str] = OrderedDict()
        self._uploading: dict[bytes, asyncio.Lock] = {}

    async def carry(self, call: Call) -> Any:
        """Make a call that shows a picture; raises TelegramError."""
        if name := self._names.get(call.photo):
            return await self._named(call, name)
        lock = self._uploading.setdefault(call.photo, asyncio.Lock())
        async with lock:
            if name := self._names.get(call.photo):
                return await self._named(call, name)
            try:
                return await self._upload(call)
            finally:
                self._uploading.pop(call.photo, None)

    async def _named(self, call: Call, name: str) -> Any:
        try:
            return await self._api.carry(Call(call.method, {**call.params, "photo": name}))
        except BadRequest as error:
            if "file identifier" not in str(error):
                raise
            return await self._upload(call)

    async def _upload(self, call: Call) -> Any:
        file = InputFile(call.photo, filename="photo.png")
        sent = await self._api.call(call.method, {**call.params, "photo": file})
        sizes = sent.get("photo") if isinstance(sent, dict) else None
        if isinstance(sizes, list) and sizes and isinstance(sizes[-1], dict) and "file_id" in sizes[-1]:
            self._names[call.photo] = str(sizes[-1]["file_id"])
            self._names.move_to_end(call.photo)
            if len(self._names) > MOST:
                self._names.popitem(last=False)
        return sent
