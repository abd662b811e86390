"""Not a bot: a fixed response, to find out what the load generator itself can do."""

import asyncio

from bench.webhook.bots.settings import HOST, PORT
from bench.webhook.wire import Wire

_BODY = b'{"method":"sendMessage","text":"ok"}'
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Responder(Wire):
    def message(self, head: bytes, body: bytes) -> None:
        self.transport.write(_RESPONSE)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Responder, HOST, PORT)
    await server.serve_forever()


asyncio.run(serve())
