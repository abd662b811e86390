"""The load: people who say something new each time, over kept-open connections, as WeChat delivers it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from bench.webhook.wire import Wire
from bench.wechat.servers.settings import AES_KEY, APP_ID, PATH, TOKEN

# No two runs may share a number: a number that was heard is not heard again.
FIRST = 20_000_000_000_000_000


@dataclass(slots=True)
class Tally:
    """`answered` with a reply, `refused` with anything else, in `seconds` of time or of a core."""

    answered: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


def requests(mode: str, port: int) -> Iterator[bytes]:
    """Ever new messages as whole HTTP requests; those in AES mode cost about as much to make as to answer."""
    timestamp, nonce = str(int(time.time())), "1320562132"
    signed = f"signature={_signature(TOKEN, timestamp, nonce)}&timestamp={timestamp}&nonce={nonce}&openid=o1"
    crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
    for number in count(FIRST + time.time_ns() % 10**12):
        body = _message(number, timestamp)
        query = signed
        if mode == "aes":
            encrypted = crypto.encrypt_message(body, nonce, timestamp)
            sealed = encrypted.partition("<Encrypt><![CDATA[")[2].partition("]]>")[0]
            body = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
            query = f"{signed}&encrypt_type=aes&msg_signature={_signature(TOKEN, timestamp, nonce, sealed)}"
        raw = body.encode()
        head = (
            f"POST {PATH}?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n"
            f"Pragma: no-cache\r\nContent-Type: text/xml\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        yield head.encode() + raw


async def drive(port: int, prepared: list[bytes], connections: int, seconds: float) -> Tally:
    """As many callbacks as the server answers over `connections`, for `seconds` or until none is left."""
    tally, left, over = Tally(), iter(prepared), asyncio.Event()
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: _Connection(tally, left, over.set), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    began = time.perf_counter()
    for connection in opened:
        connection.go_on()
    loop.call_later(seconds, over.set)
    await over.wait()
    tally.seconds = time.perf_counter() - began
    for connection in opened:
        connection.transport.abort()
    return tally


class _Connection(Wire):
    """One of WeChat's connections to us; one delivery at a time."""

    def __init__(self, tally: Tally, left: Iterator[bytes], over: Callable[[], None]) -> None:
        super().__init__()
        self._tally, self._left, self._over = tally, left, over

    def go_on(self) -> None:
        request = next(self._left, None)
        if request is None:
            self._over()
        else:
            self.transport.write(request)

    def message(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"HTTP/1.1 200") and body.startswith((b"<xml>", b"<?xml")):
            self._tally.answered += 1
        else:
            self._tally.refused += 1
        self.go_on()


def _message(number: int, timestamp: str) -> str:
    return (
        "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\n"
        f"<FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQN{number % 512:07}]]></FromUserName>\n"
        f"<CreateTime>{timestamp}</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n"
        f"<Content><![CDATA[附近哪里有热水]]></Content>\n<MsgId>{number}</MsgId>\n</xml>"
    )


def _signature(*parts: str) -> str:
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)
