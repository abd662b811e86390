"""A dialog under way: taking answers, asking what follows, going back, stopping."""

import json
from dataclasses import asdict
from typing import Any, cast

from bot.conversation.dialog import Asked, Dialog, Done, Next
from bot.conversation.questions import Ask, AskLocation, Choose, NotUnderstood, read
from bot.conversation.router import Router
from bot.conversation.turn import Turn
from bot.errors import Problem
from bot.i18n import _
from bot.models import Talk

CANCEL = frozenset({"/cancel", "cancel", "取消", "算了", "退出"})
BACK = frozenset({"/back", "back", "返回", "上一步"})
LEAVE = frozenset({"/start", "start", "开始", "開始"})


class Conversation:
    """One turn of one talk; `talk` is the row that remembers it."""

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
        """Treat what was heard as an answer to the open question; returns False if it is about something else."""
        turn, talk, heard = self._turn, self._talk, self._turn.heard
        said = heard.text.strip().casefold()
        dialog = self._remembered()
        if said in LEAVE:
            if dialog:
                await dialog.abandon(turn)
            close(talk)
            return False
        if dialog is None:
            turn.say(_("Something changed since we last spoke. Let us start again."))
            close(talk)
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

    async def ask_again(self) -> None:
        """Repeat the open question after something else was answered in between."""
        dialog = self._remembered()
        if dialog:
            await self._go(dialog, getattr(dialog, f"ask_{self._talk.step}"))

    def _about_something_else(self) -> bool:
        heard, wanted = self._turn.heard, self._talk.asked.get("kind")
        if heard.event or (heard.location and wanted != "location"):
            return True
        if heard.pressed:
            return not heard.pressed.startswith("q.")
        return bool(heard.text and self._router.said(heard.text))

    async def _answered(self, dialog: Dialog) -> bool:
        """Hand the answer to the dialog; returns False if the words make no sense to it but do elsewhere."""
        turn, talk = self._turn, self._talk
        try:
            async with turn.db.begin_nested():
                answer = read(talk.asked, talk.exchange, turn.heard)
                following: Next = await getattr(dialog, f"take_{talk.step}")(turn, answer)
        except Problem as problem:
            unclear = isinstance(problem, NotUnderstood) and turn.heard.text
            if unclear and self._router.reader and self._router.reader(turn.heard.text, turn):
                return False
            turn.said = []
            turn.say(problem.text)
            dialog = type(dialog)(**talk.draft)
            following = getattr(dialog, f"ask_{talk.step}")
        else:
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
        self._turn.say(_("Cancelled. Nothing was changed."))
        close(self._talk)

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
        while not isinstance(asked, Ask | AskLocation | Choose | Done):
            talk.step = asked.__name__.removeprefix("ask_")
            asked = await asked(turn)
        if isinstance(asked, Done):
            if asked.text is not None:
                turn.say(asked.text)
            close(talk)
            return
        if talk.step in talk.trail:
            talk.trail = talk.trail[: talk.trail.index(talk.step)]
        talk.exchange += 1
        talk.dialog, talk.draft = dialog.name, _plain(dialog)
        shown, talk.asked = asked.shown(turn.voice, talk.exchange)
        turn.said.append(shown)


def close(talk: Talk) -> None:
    """Forget the open dialog."""
    talk.dialog, talk.step, talk.draft, talk.asked, talk.trail = "", "", {}, {}, []


def _plain(dialog: Dialog) -> dict[str, Any]:
    """The dialog's fields as JSON, refusing what JSON would quietly change (int keys, dates)."""
    plain = asdict(dialog)  # type: ignore[call-overload]  # a Dialog is a dataclass by its __init_subclass__
    if json.loads(json.dumps(plain)) != plain:
        raise TypeError(f"{dialog.name} does not survive JSON")
    return cast(dict[str, Any], plain)
