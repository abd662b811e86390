"""WeChat's side, by a library that is not ours: it signs, encrypts, delivers up to three times, and reads replies."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import xmltodict
from aiohttp import ClientError, ClientSession, ClientTimeout
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import deserialize_reply
from wechatpy.utils import WeChatSigner

APP_ID = "wx5823bf96d3bd56c7"
TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
OTHER_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ACCOUNT = "gh_7f083739789a"


@dataclass(frozen=True)
class Response:
    """What one delivery was answered with; `status` 0 means that the connection was cut or took too long."""

    status: int
    body: bytes = b""

    @property
    def is_nothing(self) -> bool:
        return self.status == 200 and self.body == b"success"


@dataclass(frozen=True)
class Reply:
    """What the person sees: a text, or one article."""

    text: str
    url: str = ""
    at: int = 0


@dataclass
class Phone:
    """A follower of one account whose server is at `url`. `patience` is after how many seconds WeChat hangs up."""

    url: str
    now: Callable[[], datetime]
    aes_key: str = ""
    app_id: str = APP_ID
    openid: str = "oia2TjuEGTNoeX76QEjQNrcURxG8"
    patience: float = 5.0
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(23_254_187_265_982_341))

    def text(self, content: str, **more: object) -> str:
        return self.message("text", Content=content, **more)

    def message(self, kind: str, **more: object) -> str:
        return self._xml(MsgType=kind, **more, MsgId=next(self.numbers))

    def event(self, name: str, **more: object) -> str:
        return self._xml(MsgType="event", Event=name, **more)

    def location(self, lat: float, lng: float) -> str:
        """GCJ-02, as the map inside WeChat gives it."""
        return self.message("location", Location_X=lat, Location_Y=lng, Scale=15, Label="")

    async def says(self, content: str) -> Reply | None:
        return await self.delivers(self.text(content))

    async def delivers(self, xml: str) -> Reply | None:
        """Deliver as WeChat does, up to three times; what the person sees, None for nothing.

        Fails where the person would see that the account is out of order.
        """
        for _delivery in range(3):
            response = await self.delivers_once(xml)
            if response.status == 200:
                return self.read(response)
        raise AssertionError("该公众号提供的服务出现故障，请稍后再试")

    async def delivers_once(self, xml: str, **query: str) -> Response:
        """One delivery; `query` replaces parameters of the address."""
        body, parameters = self.sealed(xml)
        return await self.posts(body, parameters | query)

    async def posts(self, body: bytes, query: dict[str, str]) -> Response:
        timeout = ClientTimeout(total=self.patience)
        try:
            async with ClientSession(timeout=timeout) as client, client.post(self.url, data=body, params=query) as got:
                return Response(got.status, await got.read())
        except (ClientError, TimeoutError):
            return Response(0)

    async def verifies(self, echo: str, **query: str) -> Response:
        """Save the address in WeChat's console."""
        async with ClientSession() as client:
            parameters = self.signed() | {"echostr": echo} | query
            async with client.get(self.url, params=parameters) as got:
                return Response(got.status, await got.read())

    def signed(self) -> dict[str, str]:
        timestamp, nonce = str(int(self.now().timestamp())), "1320562132"
        return {"timestamp": timestamp, "nonce": nonce, "signature": signature_of(TOKEN, timestamp, nonce)}

    def sealed(self, xml: str) -> tuple[bytes, dict[str, str]]:
        """The body and the parameters of a delivery, in the account's mode."""
        query = self.signed() | {"openid": self.openid}
        if not self.aes_key:
            return xml.encode(), query
        crypto = WeChatCrypto(TOKEN, self.aes_key, self.app_id)
        envelope = xmltodict.parse(crypto.encrypt_message(xml, query["nonce"], query["timestamp"]))["xml"]
        body = (
            f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName>"
            f"<Encrypt><![CDATA[{envelope['Encrypt']}]]></Encrypt></xml>"
        )
        return body.encode(), query | {"encrypt_type": "aes", "msg_signature": envelope["MsgSignature"]}

    def opened(self, response: Response) -> str:
        """The reply's XML, decrypted where it must be."""
        xml = response.body.decode()
        if not self.aes_key:
            return xml
        envelope = xmltodict.parse(xml)["xml"]
        crypto = WeChatCrypto(TOKEN, self.aes_key, self.app_id)
        opened: str = crypto.decrypt_message(xml, envelope["MsgSignature"], envelope["TimeStamp"], envelope["Nonce"])
        return opened

    def read(self, response: Response) -> Reply | None:
        if response.body in (b"", b"success"):
            return None
        xml = self.opened(response)
        fields: dict[str, Any] = xmltodict.parse(xml)["xml"]
        assert (fields["ToUserName"], fields["FromUserName"]) == (self.openid, ACCOUNT)
        if fields["MsgType"] == "news":
            # The library cannot read a single article.
            assert fields["ArticleCount"] == "1"
            item = fields["Articles"]["item"]
            return Reply(f"{item['Title']}\n{item['Description']}", item["Url"], int(fields["CreateTime"]))
        reply = deserialize_reply(xml)
        assert reply.type == "text"
        assert len(reply.content.encode()) <= 2048
        return Reply(reply.content, at=int(fields["CreateTime"]))

    def _xml(self, **fields: object) -> str:
        sent = {"ToUserName": ACCOUNT, "FromUserName": self.openid, "CreateTime": int(self.now().timestamp())}
        written: str = xmltodict.unparse({"xml": sent | fields}, full_document=False)
        return written


def signature_of(*parts: str) -> str:
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)
