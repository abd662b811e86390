"""Which words, buttons and events start which feature."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TypeVar

from bot.conversation.dialog import Dialog
from bot.conversation.turn import Turn

Handler = Callable[[Turn], Awaitable[None] | None]
Entry = type[Dialog] | Handler
E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Route:
    """A feature and how it runs: `reads` ones never write, so their answers need no transaction.

    Of these a plain function, no coroutine, needs nothing but memory: it is answered without waiting for anything.
    """

    entry: Entry
    reads: bool
    argument: str = ""

    @property
    def is_instant(self) -> bool:
        return self.reads and not iscoroutinefunction(self.entry)


class Router:
    """A register of features; routers compose, and two features never answer to one word."""

    def __init__(self) -> None:
        self.dialogs: dict[str, type[Dialog]] = {}
        self.words: dict[str, Route] = {}
        self.presses: dict[str, Route] = {}
        # The prefix of the buttons that a word presses.
        self.choices: dict[str, str] = {}
        self.events: dict[str, Route] = {}
        self.reader: Callable[[str, Turn], Route | None] | None = None

    def on(self, *words: str) -> Callable[[E], E]:
        """Decorate a dialog or a function that may write, started by any of `words` said alone."""
        return self._register(self.words, words, reads=False)

    def reads(self, *words: str) -> Callable[[E], E]:
        """Decorate a function that only reads, started by any of `words` said alone."""
        return self._register(self.words, words, reads=True)

    def on_press(self, prefix: str) -> Callable[[E], E]:
        """Decorate what may write and is started by buttons whose token is `prefix` or `prefix.argument`."""
        return self._register(self.presses, (prefix,), reads=False)

    def reads_press(self, prefix: str, *words: str) -> Callable[[E], E]:
        """The same for a function that only reads; any of `words` said alone presses such a button of the last list."""
        self.choices |= dict.fromkeys(words, prefix)
        return self._register(self.presses, (prefix,), reads=True)

    def reads_event(self, event: str) -> Callable[[E], E]:
        """Decorate what only reads and is started by an event: `location`, `photo`, `sticker`, `resumed`."""
        return self._register(self.events, (event,), reads=True)

    def include(self, other: "Router") -> None:
        """Take over everything that `other` registers."""
        self.dialogs |= other.dialogs
        self.choices |= other.choices
        for mine, theirs in (
            (self.words, other.words),
            (self.presses, other.presses),
            (self.events, other.events),
        ):
            for name, route in theirs.items():
                _add(mine, name, route)
        self.reader = other.reader or self.reader

    def said(self, text: str) -> Route | None:
        """The feature that `text`, said alone, starts: `菜单`, `/menu`, `/menu argument`, `/menu@bot`."""
        said = _alone(text)
        if route := self.words.get(said):
            return route
        if not said.startswith("/"):
            return None
        command, _space, argument = text.strip().partition(" ")
        route = self.words.get(command.casefold().partition("@")[0])
        return Route(route.entry, route.reads, argument.strip()) if route else None

    def chosen(self, text: str, tokens: Sequence[str]) -> Route | None:
        """What the word `text` presses of the buttons with these `tokens`."""
        prefix = self.choices[_alone(text)]
        return next((self.pressed(token) for token in tokens if token.partition(".")[0] == prefix), None)

    def is_choice(self, text: str) -> bool:
        """Whether `text`, said alone, presses a button of the last list, if there is such a one."""
        return _alone(text) in self.choices

    def pressed(self, token: str) -> Route | None:
        """The feature that a button's token starts, with the token's argument."""
        prefix, _dot, argument = token.partition(".")
        route = self.presses.get(prefix)
        return Route(route.entry, route.reads, argument) if route else None

    def _register(self, book: dict[str, Route], names: tuple[str, ...], *, reads: bool) -> Callable[[E], E]:
        def register(entry: E) -> E:
            if isinstance(entry, type) and issubclass(entry, Dialog):
                self.dialogs[entry.name] = entry
            for name in names:
                _add(book, name.casefold(), Route(entry, reads))
            return entry

        return register


def _alone(text: str) -> str:
    return text.strip().casefold()


def _add(book: dict[str, Route], name: str, route: Route) -> None:
    if name in book:
        raise ValueError(f"two features answer to {name!r}")
    book[name] = route
