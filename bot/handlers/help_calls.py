"""“I need help” under a roll call: the emergency numbers first, then one line and a place, seen by staff at once."""

from bot.conversation import Ask, Asked, AskLocation, Dialog, Done, Next, Router, Turn
from bot.handlers.broadcasts import member_at, number
from bot.handlers.menu import stale
from bot.handlers.rights import call
from bot.i18n import _
from bot.messages import Location
from bot.services import help_calls
from bot.services.desk import Desk

router = Router()

LONGEST_NOTE = 500


@router.on_press("helpme")
class HelpMe(Dialog, name="help"):
    broadcast_id: int = 0
    note: str = ""

    async def begin(self, turn: Turn) -> Asked:
        self.broadcast_id = number(turn.argument)
        turn.say(
            _("In danger, call first: 120 doctor, 119 fire, 110 police, 122 accident."),
            (call(turn, "120"), call(turn, "119")),
            (call(turn, "110"), call(turn, "122")),
        )
        return self.ask_what

    async def ask_what(self, turn: Turn) -> Asked:
        return Ask(_("In one line: what do you need, and a number to call you back if you like?"))

    async def take_what(self, turn: Turn, note: str) -> Next:
        self.note = note[:LONGEST_NOTE]
        return self.ask_where

    async def ask_where(self, turn: Turn) -> Asked:
        where = _("Where are you? Send your location or type the place. Only the staff on duty see it.")
        return AskLocation(where, or_words=True)

    async def take_where(self, turn: Turn, where: Location | str) -> Next:
        place = where[:LONGEST_NOTE] if isinstance(where, str) else f"{where.lat:.5f},{where.lng:.5f}"
        await help_calls.ring(
            turn.db,
            turn.person.rider_id,
            broadcast_id=self.broadcast_id or None,
            note=self.note,
            place=place,
            now=turn.now,
            desk=turn.use(Desk),
        )
        return Done(_("The staff have your call now. If it gets worse, call 120 or 110 at once."))


@router.on_press("helpdone")
async def handled(turn: Turn) -> None:
    """A staff member takes a call."""
    member = await member_at(turn, "help.answer")
    if member is None:
        return
    try:
        await help_calls.handle(turn.db, member, call_id=number(turn.argument), now=turn.now)
    except help_calls.NoSuchCall:
        stale(turn)
    else:
        turn.say(_("Yours: nobody else is asked. Thank you."))
