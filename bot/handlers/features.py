"""Free text that asks for a feature rather than for a place: read after wishes, asked about when in doubt."""

from bot.conversation import Route, Router, Turn
from bot.handlers import finding, menu, my_bookings, nearest, notices, policies, privacy, reports, settings, staff
from bot.handlers.bookings import Book
from bot.handlers.meanings import meant
from bot.i18n import Text, _
from bot.messages import Button

router = Router()

ROUTES: dict[str, Route] = {
    "nearest": Route(nearest.nearest, reads=True),
    "book": Route(Book, reads=False),
    "bookings": Route(my_bookings.my_bookings, reads=True),
    "notices": Route(notices.recent, reads=True),
    "report": Route(reports.Report, reads=False),
    "settings": Route(settings.settings, reads=True),
    "language": Route(settings.language, reads=True),
    "privacy": Route(privacy.privacy, reads=True),
    "help": Route(menu.help_, reads=True),
    "menu": Route(menu.menu, reads=True),
    "wages": Route(policies.wages, reads=True),
    "injury": Route(policies.injury, reads=True),
    "policies": Route(policies.asked, reads=True),
    "thanks": Route(menu.thanks, reads=True),
    "greeting": Route(menu.greeting, reads=True),
}
# What each is called where it has to be asked about, and the token that opens it.
NAMES: dict[str, tuple[Text, str]] = {
    "nearest": (_("🔎 Nearby"), "near"),
    "book": (_("🗓 Book something"), "book"),
    "bookings": (_("My bookings"), "bookings"),
    "notices": (_("Notices"), "notices"),
    "report": (_("✋ Report"), "report"),
    "settings": (_("⚙ Settings"), "settings"),
    "language": (_("🌐 Language"), "language"),
    "privacy": (_("🔒 Privacy"), "privacy"),
    "help": (_("❓ Help"), "help"),
    "menu": (_("☰ Menu"), "menu"),
    "wages": (_("Unpaid wages"), "wages"),
    "injury": (_("Hurt at work"), "injury"),
    "policies": (_("📜 Rights and rules"), "policies"),
}


def read(text: str, turn: Turn) -> Route | None:
    """The route for a rule or a place that is asked about, else for a code, else for a feature that is asked for."""
    return policies.read(text, turn) or finding.read(text, turn) or staff.typed_code(text) or _feature(text)


router.reader = read


async def did_you_mean(turn: Turn) -> None:
    """The few things that the words may ask for, to choose from."""
    reading = meant(turn.heard.text)
    named = [NAMES[feature] for feature in (reading.feature, *reading.others) if feature in NAMES]
    turn.say(_("What do you mean?"), *((Button(turn.word(name), token),) for name, token in named))


def _feature(text: str) -> Route | None:
    reading = meant(text)
    if reading.sure:
        return ROUTES[reading.feature]
    if any(feature in NAMES for feature in (reading.feature, *reading.others)):
        return Route(did_you_mean, reads=True)
    return None
