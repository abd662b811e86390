"""One person at two addresses: a code shown in one chat and typed in the other makes them one."""

from bot.conversation import Ask, Asked, Choose, Dialog, Done, Next, Router, Turn
from bot.errors import Problem
from bot.handlers.menu import MENU
from bot.i18n import _
from bot.messages import Button
from bot.services import linking, sign_in
from bot.services.desk import Desk

router = Router()

HERE, THERE = "here", "there"


@router.on("/link", "link", "绑定", "綁定")
@router.on_press("link")
class Link(Dialog, name="link"):
    async def begin(self, turn: Turn) -> Asked:
        if not turn.argument:
            return self.ask_which
        try:
            return Done() if await _redeemed(turn, turn.argument) else self.ask_code
        except Problem as problem:
            return Done(problem.text)

    async def ask_which(self, turn: Turn) -> Asked:
        return Choose(
            _("Do you talk to me on another channel as well? Linked, your bookings and settings are the same in both."),
            {HERE: _("Show me a code"), THERE: _("I have a code")},
        )

    async def take_which(self, turn: Turn, which: str) -> Next:
        if which == THERE:
            return self.ask_code
        code = await linking.issue(turn.db, turn.person.rider_id, now=turn.now, desk=turn.use(Desk))
        turn.say(
            _(
                "Your code: {code}\nType in the other chat: /link {code}\nIt works once, for ten minutes. Give it to "
                "nobody: whoever types it sees your bookings.",
                code=code,
            ),
            (Button(turn.word(MENU), "menu"),),
        )
        return Done()

    async def ask_code(self, turn: Turn) -> Asked:
        return Ask(_("Type the code that the other chat shows."))

    async def take_code(self, turn: Turn, code: str) -> Next:
        try:
            return Done() if await _redeemed(turn, code) else self.ask_code
        except linking.TooManyTries as enough:
            return Done(enough.text)


@router.on("/web", "web page", "网页", "网页版", "網頁", "網頁版", "打开网页")
@router.on_press("webpage")
async def web_page(turn: Turn) -> None:
    """A link that opens the web page as the same person."""
    url = await sign_in.issue(turn.db, turn.person.rider_id, now=turn.now, desk=turn.use(Desk))
    turn.say(
        _("The web page, signed in as you\nThe link works once, for ten minutes. Pass it on to nobody."),
        (Button(turn.word(_("Open the web page")), url=url),),
    )


async def _redeemed(turn: Turn, code: str) -> bool:
    """Whether the code was right; said either way. A wrong one raises nothing, so that the try is counted."""
    merged = await linking.redeem(
        turn.db,
        turn.person.rider_id,
        contact_id=turn.person.contact_id,
        code=code,
        now=turn.now,
        desk=turn.use(Desk),
    )
    if merged is None:
        turn.say(_("That code is wrong or too old."))
        return False
    # This address as well: it may have been the one of the person who is no more.
    turn.changed += merged.addresses
    turn.say(
        _("Linked. Your bookings are the same here and there now."),
        (Button(turn.word(_("My bookings")), "bookings"), Button(turn.word(MENU), "menu")),
    )
    return True
