"""Dialogs: several questions in a row, remembered in the database between them."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import ClassVar, Protocol, dataclass_transform

from bot.conversation.questions import Question
from bot.conversation.turn import Turn
from bot.i18n import Text


@dataclass(frozen=True, slots=True)
class Done:
    """The dialog is over; `text` is the last word, if there is one that `turn.say` has not said."""

    text: Text | None = None


class Asking(Protocol):
    """An `ask_` method of a dialog."""

    __name__: str

    def __call__(self, turn: Turn, /) -> Awaitable["Asked"]: ...


Next = Asking | Done  # what a take_ method returns
Asked = Question | Next  # what an ask_ method returns: usually a question


@dataclass_transform()
class Dialog:
    """Questions in a row. The fields are all that is remembered between them.

    Each question is a pair of methods: `ask_x` returns it and only reads; `take_x` receives its answer and
    returns what to ask next. The names are stored, so renaming a dialog or a step is a migration. `begin`
    sets the fields from a word's or button's argument.
    """

    name: ClassVar[str]
    first: ClassVar[str]

    def __init_subclass__(cls, *, name: str) -> None:
        dataclass(cls)
        asks = [attribute for attribute in vars(cls) if attribute.startswith("ask_")]
        for ask in asks:
            if not hasattr(cls, ask.replace("ask_", "take_", 1)):
                raise TypeError(f"{cls.__name__}.{ask} has no matching take_ method")
        cls.name, cls.first = name, asks[0]

    async def begin(self, turn: Turn) -> Asked:
        """What to ask first; a dialog that starts in several ways looks at `turn.argument` here."""
        first: Asking = getattr(self, self.first)
        return first

    async def abandon(self, turn: Turn) -> None:
        """Give back what was taken so far: the rider left before the end."""

    def goes_back(self, step: str) -> bool:
        """Go back within `step`, where one step asks several things in a row; False where nothing is before it."""
        return False
