"""The first words, and the place of a link that somebody followed here."""

from bot.conversation import Router, Turn
from bot.handlers.menu import MENU, share, vehicles
from bot.handlers.places import show_card
from bot.i18n import _
from bot.messages import Button
from bot.services import deep_links
from bot.services.directory import Directory

router = Router()


@router.reads("/start", "start", "开始", "開始")
def start(turn: Turn) -> None:
    if place := turn.use(Directory).by_code(deep_links.place_of(turn.argument)):
        show_card(turn, place)
        return
    hello = _("Hello, I am Nuanxin: I find riders and drivers the nearest place that is open.")
    first = _("Send your location to begin, or just type, such as “where can I charge”.")
    menu = (Button(turn.word(MENU), "menu"),)
    if turn.person.vehicle:
        turn.say(_("{hello}\n{first}", hello=hello, first=first), share(turn), menu)
        return
    ask = _("{hello}\n{first}\nWhat do you drive? Then I sort for you.", hello=hello, first=first)
    turn.say(ask, share(turn), menu, *vehicles(turn))
