"""python-telegram-bot with its own webhook server, as its wiki has it."""

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from bench.webhook.bots.settings import API, HOST, PATH, PORT, SECRET, TOKEN
from bench.webhook.places import Nearest

nearest = Nearest()


async def location(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    message = update.effective_message
    assert message
    assert message.location
    await message.reply_text(nearest.text(message.location.latitude, message.location.longitude))


application = Application.builder().token(TOKEN).base_url(f"{API}/bot").build()
application.add_handler(MessageHandler(filters.LOCATION, location))
application.run_webhook(
    listen=HOST,
    port=PORT,
    url_path=PATH.lstrip("/"),
    secret_token=SECRET,
    webhook_url=f"http://{HOST}:{PORT}{PATH}",
)
