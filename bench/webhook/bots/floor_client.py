"""A floor, not a bot: aiohttp parses the update and sends with its own client."""

from collections.abc import AsyncIterator

import orjson
from aiohttp import ClientSession, TCPConnector, web

from bench.webhook.bots.settings import API, HOST, PATH, PORT, SECRET, TOKEN
from bench.webhook.places import Nearest

JSON = {"Content-Type": "application/json"}
nearest = Nearest()
CLIENT = web.AppKey("client", ClientSession)


async def webhook(request: web.Request) -> web.Response:
    if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != SECRET:
        return web.Response(status=403)
    message = orjson.loads(await request.read())["message"]
    place = message["location"]
    answer = {"chat_id": message["chat"]["id"], "text": nearest.text(place["latitude"], place["longitude"])}
    async with request.app[CLIENT].post(
        f"{API}/bot{TOKEN}/sendMessage", data=orjson.dumps(answer), headers=JSON
    ) as response:
        orjson.loads(await response.read())
    return web.Response()


async def client(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        app[CLIENT] = session
        yield


app = web.Application()
app.cleanup_ctx.append(client)
app.router.add_post(PATH, webhook)
web.run_app(app, host=HOST, port=PORT, access_log=None, print=None)
