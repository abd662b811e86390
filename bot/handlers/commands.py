"""The commands that a platform may show beside the text field, with what they do."""

from bot.i18n import _

COMMANDS = {
    "nearest": _("Places near me"),
    "book": _("Health checks, lawyers, trainings and more, free"),
    "bookings": _("What I booked: show, move, cancel"),
    "report": _("Locked door, wrong facts"),
    "settings": _("Vehicle, county, language"),
    "language": _("中文 / English"),
    "link": _("Be the same person on two channels"),
    "privacy": _("What is kept of me"),
    "menu": _("Everything I can do"),
    "help": _("How to use me"),
    "cancel": _("Stop what is under way"),
}
