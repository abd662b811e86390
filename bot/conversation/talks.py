"""A dialog under way: taking answers, asking what follows, going back, stopping."""

from dataclasses import fields
from typing import Any, cast

from bot.conversation.dialog import Asked, Dialog, Done, Next
from bot.conversation.questions import Ask, AskLocation, AskPhoto, Choose, NotUnderstood, read
from bot.conversation.router import Router
from bot.conversation.turn import Talk, Turn
from bot.errors import Problem
from bot.i18n import _
from bot.messages import Button

CANCEL = frozenset({"/cancel", "cancel", "取消", "算了", "退出"})
BACK = frozenset({"/back", "back", "返回", "上一步"})
LEAVE = frozenset({"/start", "start", "开始", "開始"})


class Refused(Exception):
    """A rule forbade what was asked, perhaps after something was written: the turn is undone before that is said.

    `only_read`: nothing could have been written, and an answer need not be kept.
    """

    def __init__(self, problem: Problem, *, only_read: bool = False) -> None:
        self.problem = problem
        self.only_read = only_read
        super().__init__(problem)


class Conversation:
    """One turn of one talk."""

    def __init__(self, router: Router, turn: Turn, talk: Talk) -> None:
        self._router = router
        self._turn = turn
        self._talk = talk

    async def start(self, kind: type[Dialog]) -> None:
        """Open a dialog in place of whatever was open."""
        if self._talk.dialog and (left := self._remembered()):
            await left.abandon(self._turn)
        self._talk.trail = []
        dialog = kind()
        await self._go(dialog, await dialog.begin(self._turn))

    async def take(self) -> bool:
        """Treat what was heard as an answer to the open question; returns False if it is about something else.

        Raises Refused where the dialog does not take the answer.
        """
        turn, talk, heard = self._turn, self._talk, self._turn.heard
        said = heard.text.strip().casefold()
        dialog = self._remembered()
        if said in LEAVE:
            if dialog:
                await dialog.abandon(turn)
            talk.close()
            return False
        if dialog is None:
            turn.say(_("Something changed since we last spoke. Let us start again."))
            talk.close()
            return True
        way_out = heard.pressed.removeprefix(f"q.{talk.exchange}.") if heard.pressed else ""
        if said in CANCEL or way_out == "cancel":
            await self._stop(dialog)
            return True
        if said in BACK or way_out == "back":
            await self._back(dialog)
            return True
        if self._about_something_else():
            return False
        return await self._answered(dialog)

    async def refuse(self, problem: Problem) -> None:
        """Say what is wrong, and ask the open question again."""
        self._turn.say(problem.text)
        await self.ask_again()

    async def ask_again(self) -> None:
        """Repeat the open question after something else was answered in between."""
        dialog = self._remembered()
        if dialog:
            await self._go(dialog, getattr(dialog, f"ask_{self._talk.step}"))

    def _about_something_else(self) -> bool:
        heard, wanted = self._turn.heard, self._talk.asked.get("kind")
        if heard.event:
            return heard.event != "photo" or wanted != "photo"
        if heard.location and wanted != "location":
            return True
        if heard.pressed:
            return not heard.pressed.startswith("q.")
        return bool(heard.text and self._router.said(heard.text))

    async def _answered(self, dialog: Dialog) -> bool:
        """Hand the answer to the dialog; returns False if the words make no sense to it but do elsewhere."""
        turn, talk = self._turn, self._talk
        try:
            answer = read(talk.asked, talk.exchange, turn.heard)
            following: Next = await getattr(dialog, f"take_{talk.step}")(turn, answer)
        except NotUnderstood as problem:
            if turn.heard.text and self._router.reader and self._router.reader(turn.heard.text, turn):
                return False
            await self.refuse(problem)
            return True
        except Problem as problem:
            raise Refused(problem) from problem
        talk.trail = [*talk.trail, talk.step]
        await self._go(dialog, following)
        return True

    async def _back(self, dialog: Dialog) -> None:
        talk = self._talk
        if dialog.goes_back(talk.step):
            await self._go(dialog, getattr(dialog, f"ask_{talk.step}"))
        elif talk.trail:
            await self._go(dialog, getattr(dialog, f"ask_{talk.trail[-1]}"))
        else:
            await self._stop(dialog)

    async def _stop(self, dialog: Dialog) -> None:
        await dialog.abandon(self._turn)
        self._turn.say(_("Cancelled. Nothing was changed."), _onward(self._turn))
        self._talk.close()

    def _remembered(self) -> Dialog | None:
        """The dialog as it stood, or None if a release in between has changed its shape."""
        talk = self._talk
        try:
            dialog = self._router.dialogs[talk.dialog](**talk.draft)
        except (KeyError, TypeError):
            return None
        return dialog if hasattr(dialog, f"take_{talk.step}") else None

    async def _go(self, dialog: Dialog, following: Asked) -> None:
        """Ask what follows, walking past steps that need no asking."""
        turn, talk = self._turn, self._talk
        asked = following
        while not isinstance(asked, Ask | AskLocation | AskPhoto | Choose | Done):
            talk.step = asked.__name__.removeprefix("ask_")
            asked = await asked(turn)
        if isinstance(asked, Done):
            if asked.text is not None:
                turn.say(asked.text, _onward(turn))
            talk.close()
            return
        if talk.step in talk.trail:
            talk.trail = talk.trail[: talk.trail.index(talk.step)]
        talk.exchange += 1
        talk.dialog, talk.draft = dialog.name, _plain(dialog)
        shown, talk.asked = asked.shown(turn.voice, talk.exchange)
        turn.said.append(shown)


def _onward(turn: Turn) -> tuple[Button, ...]:
    """A row with the way on, so that nobody stands before a closed door when a dialog is over."""
    return (Button(turn.word(_("☰ Menu")), "menu"),)


def _plain(dialog: Dialog) -> dict[str, Any]:
    """The dialog's fields as JSON, refusing what JSON would quietly change (int keys, dates)."""
    plain = {field.name: getattr(dialog, field.name) for field in fields(cast(Any, dialog))}
    if not _survives(plain):
        raise TypeError(f"{dialog.name} does not survive JSON")
    return plain


def _survives(value: object) -> bool:
    """Whether `value` comes back from JSON as it went."""
    match value:
        case None | bool() | int() | float() | str():
            return True
        case list():
            return all(_survives(one) for one in value)
        case dict():
            return all(isinstance(key, str) and _survives(one) for key, one in value.items())
    return False
