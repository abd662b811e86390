"""Many phones in a process of their own: `python -m tests.channels.wechat.crowd` with a Crowd as JSON.

It prints seconds until each delivery was answered, how often somebody was put off, and what was never answered.
"""

import asyncio
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from tests.channels.wechat.phone import Phone, Reply, Response

# What they say by turns, and what is part of the answer: one turn writes, the other only reads.
SAID = (("反映", "遇到"), ("帮助", "位置"))
MOST_TRIES = 20
# Their first words were said before, from elsewhere.
FIRST_NUMBER = 24_000_000_000_000_000


@dataclass
class Crowd:
    """People who write to `url` at `now`, one every `arriving` seconds; WeChat hangs up after `patience` seconds."""

    url: str
    now: str
    patience: float
    users: list[str]
    arriving: float
    took: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    put_off: int = 0

    async def rings(self) -> None:
        await asyncio.gather(*(self._asks(user, number) for number, user in enumerate(self.users)))

    async def _asks(self, user: str, number: int) -> None:
        """Say something and go on until the answer is there; WeChat says it up to three times for them."""
        await asyncio.sleep(number * self.arriving)
        now = datetime.fromisoformat(self.now)
        phone = Impatient(self.url, lambda: now, openid=user, patience=self.patience)
        phone.numbers, phone.took = itertools.count(FIRST_NUMBER), self.took
        wish, answer = SAID[number % len(SAID)]
        reply: Reply | None = await phone.says(wish)
        for _try in range(MOST_TRIES):
            if reply is None or answer in reply.text:
                break
            self.put_off += 1
            reply = await phone.says("0")
        if reply is None or answer not in reply.text:
            self.lost.append(wish)


class Impatient(Phone):
    """A phone that notes how long an answer took, and takes little time of its own: there are many in one process."""

    took: list[float]

    async def posts(self, body: bytes, query: dict[str, str]) -> Response:
        to = urlsplit(self.url)
        head = f"POST {to.path}?{urlencode(query)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            async with asyncio.timeout(self.patience):
                reader, writer = await asyncio.open_connection(to.hostname, to.port)
        except (OSError, TimeoutError):
            return Response(0)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.patience):
                writer.write(head.encode() + body)
                status, _end, headers = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
                length = headers.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                answer = await reader.readexactly(int(length))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return Response(0)
        finally:
            writer.close()
        self.took.append(time.monotonic() - began)
        assert b" 200 " in status
        return Response(200, answer)


if __name__ == "__main__":
    crowd = Crowd(*json.loads(sys.argv[1]))
    asyncio.run(crowd.rings())
    sys.stdout.write(json.dumps([crowd.took, crowd.put_off, crowd.lost]))
