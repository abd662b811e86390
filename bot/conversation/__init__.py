"""The durable conversation core."""

from bot.conversation.dialog import Asked, Dialog, Done, Next
from bot.conversation.questions import Ask, AskLocation, AskPhoto, Choose, Confirm
from bot.conversation.router import Route, Router
from bot.conversation.turn import Person, Turn

__all__ = [
    "Ask",
    "AskLocation",
    "AskPhoto",
    "Asked",
    "Choose",
    "Confirm",
    "Dialog",
    "Done",
    "Next",
    "Person",
    "Route",
    "Router",
    "Turn",
]
