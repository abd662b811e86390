"""pyTelegramBotAPI's asynchronous bot behind aiohttp, as its example has it."""

from aiohttp import web
from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot
from telebot.types import Message, Update

from bench.webhook.bots.settings import API, HOST, PATH, PORT, SECRET, TOKEN
from bench.webhook.places import Nearest

nearest = Nearest()
asyncio_helper.API_URL = API + "/bot{0}/{1}"
bot = AsyncTeleBot(TOKEN)


@bot.message_handler(content_types=["location"])  # type: ignore[untyped-decorator,no-untyped-call]  # the library is
async def location(message: Message) -> None:
    here = message.location
    assert here
    await bot.send_message(message.chat.id, nearest.text(here.latitude, here.longitude))


async def webhook(request: web.Request) -> web.Response:
    if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != SECRET:
        return web.Response(status=403)
    update = Update.de_json(await request.json())  # type: ignore[no-untyped-call]  # the library is untyped
    await bot.process_new_updates([update])
    return web.Response()


app = web.Application()
app.router.add_post(PATH, webhook)
web.run_app(app, host=HOST, port=PORT, access_log=None, print=None)
