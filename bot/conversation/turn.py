"""One exchange: what was heard, who said it, and what is said back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, Write
from bot.i18n import Text, Voice
from bot.messages import Address, Button, Capabilities, Incoming, Outgoing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """The bounded copy of what a turn must know of its rider.

    `dialog` is true while a dialog is open; `is_new` only in the turn of the first contact.
    """

    contact_id: int
    rider_id: int
    address: Address
    locale: str
    vehicle: str = ""
    county: str = ""
    dialog: bool = False
    is_new: bool = False
    stopped: bool = False


@dataclass(slots=True)
class Talk:
    """Where a person's dialog stands: the open question as it was shown, and the steps that led to it."""

    dialog: str = ""
    step: str = ""
    exchange: int = 0
    draft: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    trail: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Forget the open dialog."""
        self.dialog, self.step, self.draft, self.asked, self.trail = "", "", {}, {}, []


@dataclass(slots=True)
class Turn:
    """Everything that a handler may use; it lives as long as one exchange."""

    person: Person
    heard: Incoming
    now: datetime
    voice: Voice
    can: Capabilities
    argument: str = ""
    said: list[Outgoing] = field(default_factory=list)
    resources: Mapping[type, object] = field(default_factory=dict)
    database: Database | None = None
    session: AsyncSession | None = None
    # The person asked to be forgotten and is: what is still said to them is not kept either.
    erased: bool = False
    # A button's token to act on next, in the same turn, where one button leads into another feature.
    follows: str = ""
    # What was read in this turn and may be needed again before its end.
    seen: dict[Any, Any] = field(default_factory=dict)
    # What is still to be written, together with the answers: nothing in this turn reads it.
    writes: list[Write] = field(default_factory=list)
    # Other addresses of this person of which something changed, so that no copy of them, and of this one, is used
    # any more. What changed of this one alone is said by replacing `person`.
    changed: list[Address] = field(default_factory=list)

    @property
    def db(self) -> AsyncSession:
        """The turn's session: its transaction if it writes, else one that only reads, opened when first asked for."""
        if self.session is None:
            assert self.database is not None
            self.session = self.database.reader()
        return self.session

    def use(self, kind: type[T]) -> T:
        """The installation's one `kind` (directory, seals, …), handed in by the program that was built."""
        return cast(T, self.resources[kind])

    def say(self, text: Text | str, *rows: tuple[Button, ...], **extra: Any) -> None:
        """Say `text` with rows of buttons; `extra` are further fields of Outgoing."""
        self.said.append(Outgoing(self.voice.word(text), rows, **extra))

    def word(self, text: Text | str) -> str:
        return self.voice.word(text)
