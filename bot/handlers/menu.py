"""The doors: greeting, menu, help, and a kind word for what nobody understood."""

from bot.conversation import Router, Turn
from bot.handlers.searches import number
from bot.i18n import _
from bot.messages import Button
from bot.services.directory import Directory
from bot.services.riders import SKIPPED, VEHICLE_NAMES

router = Router()

SHARE = _("📍 Send my location")
MENU = _("☰ Menu")


def share(turn: Turn) -> tuple[Button, ...]:
    """A row with the button that sends the rider's location."""
    return (Button(turn.word(SHARE), asks_location=True),)


def vehicles(turn: Turn, after: str = "") -> tuple[tuple[Button, ...], ...]:
    """Rows that ask once what this person drives; `after` is the list to show again, as its tokens carry it."""
    tail = f".{after}" if after else ""
    named = [Button(turn.word(name), f"v.{vehicle}{tail}") for vehicle, name in VEHICLE_NAMES.items()]
    skip = Button(turn.word(_("Skip")), f"v.{SKIPPED}{tail}")
    return tuple(named[:2]), tuple(named[2:]), (skip,)


@router.reads("/menu", "menu", "菜单", "菜單", "目录", "功能")
@router.reads_press("menu")
def menu(turn: Turn) -> None:
    turn.say(_("What do you need? Send your location, or type what you look for."), *doors(turn))


def doors(turn: Turn) -> tuple[tuple[Button, ...], ...]:
    """The rows of the menu."""
    return (
        share(turn),
        (Button(turn.word(_("🔎 Nearby")), "near"), Button(turn.word(_("✋ Report")), "report")),
        (Button(turn.word(_("🗓 Book something")), "book"), Button(turn.word(_("My bookings")), "bookings")),
        (Button(turn.word(_("🔔 Notices")), "notices"), Button(turn.word(_("📜 Rights and rules")), "policies")),
        (Button(turn.word(_("⚙ Settings")), "settings"), Button(turn.word(_("🌐 Language")), "language")),
        (Button(turn.word(_("🔒 Privacy")), "privacy"), Button(turn.word(_("❓ Help")), "help")),
    )


@router.reads("/help", "help", "帮助", "幫助", "怎么用", "?", "？")
@router.reads_press("help")
def help_(turn: Turn) -> None:
    turn.say(
        _(
            "Send your location at any time: I answer with the five nearest places.\n"
            "Or type what you need: “hot water”, “60V battery swap”, “truck parking with a shower”, "
            "“toilet in Hejin”.\n"
            "A number chooses from the list above it.\n"
            "Door locked or facts wrong? Open the place and tap it: three people are enough to warn the others.\n"
            "In danger call 110, 119 or 120. Stop first, then look at the phone."
        ),
        share(turn),
        (Button(turn.word(MENU), "menu"),),
    )


@router.reads("/cancel", "cancel", "取消", "算了", "退出")
def cancel(turn: Turn) -> None:
    turn.say(_("Nothing is under way, so there is nothing to cancel."), share(turn), (_menu(turn),))


@router.reads("hello", "hi", "你好", "您好", "在吗", "在嗎", "嗨", "早上好", "晚上好")
def greeting(turn: Turn) -> None:
    turn.say(_("Hello! Send your location and I will find you a place."), share(turn), (_menu(turn),))


@router.reads("thanks", "thank you", "谢谢", "謝謝", "多谢", "谢了", "感谢", "好的", "ok", "👍")
def thanks(turn: Turn) -> None:
    turn.say(_("You are welcome. Take care on the road."))


@router.reads_event("photo")
def photo(turn: Turn) -> None:
    turn.say(
        _("I have your picture, thank you, but I cannot look at pictures yet and do not keep them."),
        share(turn),
        (_menu(turn),),
    )


@router.reads_event("sticker")
def sticker(turn: Turn) -> None:
    turn.say(_("Nice one! Need a place to rest? Send your location."), share(turn), (_menu(turn),))


@router.reads_event("media")
def media(turn: Turn) -> None:
    turn.say(
        _("Thank you, but I can only read text and locations. Type what you need, or send your location."),
        share(turn),
        (_menu(turn),),
    )


@router.reads_event("resumed")
def resumed(turn: Turn) -> None:
    turn.say(_("Good to have you back. Send your location whenever you need a place."), share(turn), (_menu(turn),))


@router.reads_event("stale")
def stale(turn: Turn) -> None:
    """A button or number of a list that is gone; here is a fresh start."""
    turn.say(_("That button is from an earlier list. Please choose again here."), *doors(turn))


@router.reads_event("unknown")
def unknown(turn: Turn) -> None:
    rows = tuple((card,) for card in _suggested(turn))
    if rows:
        turn.say(_("I am not sure what you look for. Did you mean one of these?"), *rows, share(turn), (_menu(turn),))
        return
    sorry = _("Sorry, I did not get that. Send your location, or type what you need, such as “hot water”.")
    turn.say(sorry, share(turn), (_menu(turn),))


def _suggested(turn: Turn) -> list[Button]:
    """At most two places whose names come close to what was said."""
    said = turn.heard.text.strip()
    if not 2 <= len(said) <= 40:
        return []
    found = turn.use(Directory).named(said, limit=2)
    return [Button(place.name, f"p.{number(place.id)}") for place, _score in found]


def _menu(turn: Turn) -> Button:
    return Button(turn.word(MENU), "menu")
