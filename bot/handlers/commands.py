"""The commands that a platform may show beside the text field, with what they do."""

from bot.i18n import Text, _

COMMANDS = {
    "nearest": _("Places near me"),
    "book": _("Health checks, lawyers, trainings and more, free"),
    "bookings": _("What I booked: show, move, cancel"),
    "notices": _("Notices of the city, on and off"),
    "policy": _("Rights and rules in short"),
    "report": _("Locked door, wrong facts"),
    "settings": _("Vehicle, county, language"),
    "language": _("中文 / English"),
    "link": _("Be the same person on two channels"),
    "privacy": _("What is kept of me"),
    "menu": _("Everything I can do"),
    "help": _("How to use me"),
    "cancel": _("Stop what is under way"),
}

# A menu of a platform: three doors, what is behind each, and what tapping it says; nothing asks for a place.
MENU: tuple[tuple[Text, tuple[tuple[Text, str], ...]], ...] = (
    (
        _("Find a stop"),
        (
            (_("Near me"), ""),
            (_("Charge"), "/find 充电"),
            (_("Toilet"), "/find 厕所"),
            (_("Hot water"), "/find 热水"),
            (_("Meals"), "/find 吃饭"),
        ),
    ),
    (
        _("Services"),
        (
            (_("Health check"), "/book health"),
            (_("Ask a lawyer"), "/book legal"),
            (_("Everything to book"), "/book"),
            (_("My bookings"), "/bookings"),
            (_("Rights and rules"), "/policy"),
        ),
    ),
    (
        _("Mine"),
        (
            (_("Notices"), "/notices"),
            (_("Settings"), "/settings"),
            (_("Open the web page"), "/web"),
            (_("Privacy"), "/privacy"),
            (_("Help"), "/help"),
        ),
    ),
)
