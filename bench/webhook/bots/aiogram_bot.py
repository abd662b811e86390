"""aiogram 3 on aiohttp, as its documentation has it; `response`: answers in the webhook's response."""

import sys

from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import SendMessage
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

from bench.webhook.bots.settings import API, HOST, PATH, PORT, SECRET, TOKEN
from bench.webhook.places import Nearest

nearest = Nearest()
dispatcher = Dispatcher()


async def by_call(message: Message) -> None:
    assert message.location
    await message.answer(nearest.text(message.location.latitude, message.location.longitude))


async def by_response(message: Message) -> SendMessage:
    assert message.location
    return message.answer(nearest.text(message.location.latitude, message.location.longitude))


in_response = "response" in sys.argv
dispatcher.message.register(by_response if in_response else by_call, F.location)
bot = Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(API)))
app = web.Application()
background = {"handle_in_background": False} if in_response else {}
SimpleRequestHandler(dispatcher, bot, secret_token=SECRET, **background).register(app, path=PATH)
setup_application(app, dispatcher, bot=bot)
web.run_app(app, host=HOST, port=PORT, access_log=None, print=None)
