"""A floor, not a bot: aiohttp parses the update and answers in the webhook's response."""

import orjson
from aiohttp import web

from bench.webhook.bots.settings import HOST, PATH, PORT, SECRET
from bench.webhook.places import Nearest

nearest = Nearest()


async def webhook(request: web.Request) -> web.Response:
    if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != SECRET:
        return web.Response(status=403)
    message = orjson.loads(await request.read())["message"]
    place = message["location"]
    answer = {
        "method": "sendMessage",
        "chat_id": message["chat"]["id"],
        "text": nearest.text(place["latitude"], place["longitude"]),
    }
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


app = web.Application()
app.router.add_post(PATH, webhook)
web.run_app(app, host=HOST, port=PORT, access_log=None, print=None)
