"""Staff at work in a chat: today's sessions, who comes, checking in. Riders never learn that there is such a thing."""

from bot.conversation import Route, Router, Turn
from bot.handlers import menu, offers
from bot.i18n import Text, _
from bot.messages import Button
from bot.services import bookings, linking, sessions
from bot.services.bookings.holding import CODE_LENGTH, CODE_LETTERS
from bot.services.desk import Desk
from bot.services.linking import OnChat
from bot.services.roles import ROLE_NAMES
from bot.services.sessions import Guest, Roll

router = Router()

PAGE = 10
LEAVING = frozenset({"out", "off", "退出", "解绑"})
_STATES: dict[str, Text] = {
    "held": _("being booked"),
    "booked": _("expected"),
    "pending": _("to be approved"),
    "offered": _("a place is offered"),
    "attended": _("✓ here"),
    "no_show": _("did not come"),
}


def typed_code(text: str) -> Route | None:
    """The route for what looks like a booking's code."""
    code = text.strip().upper()
    if len(code) == CODE_LENGTH and all(letter in CODE_LETTERS for letter in code):
        return Route(check_in, reads=False, argument=code)
    return None


@router.on("/staff")
async def link(turn: Turn) -> None:
    """Make this chat a staff member's, by the code that they were given; `/staff out` ends it."""
    member = await _member(turn)
    if member and turn.argument.casefold() in LEAVING:
        await linking.unlink_staff(turn.db, turn.person.contact_id)
        turn.say(_("This chat is no longer linked to {login}.", login=member.login))
        return
    if turn.argument:
        try:
            member = await linking.link_staff(
                turn.db, turn.person.contact_id, code=turn.argument, now=turn.now, desk=turn.use(Desk)
            )
        except linking.TooManyTries:
            member = None
    if member is None:
        menu.unknown(turn)
        return
    turn.say(
        _(
            "This chat is linked to {login} ({role}).\n/today shows the sessions of the day. Type a booking's six "
            "characters to check somebody in. /staff out ends it.",
            login=member.login,
            role=ROLE_NAMES[member.role],
        ),
        (Button(turn.word(_("Today")), "today"),),
    )


@router.reads("/today", "今日", "今天")
@router.reads_press("today")
async def today(turn: Turn) -> None:
    rolls = await _rolls(turn)
    if rolls is None:
        return
    if len(rolls) == 1:
        _say_roll(turn, rolls[0], 0)
        return
    head = turn.word(_("Today:") if rolls else _("There is no session today."))
    rows = [(Button(_headline(turn, roll), f"roll.{roll.session.id}.0"),) for roll in rolls]
    turn.say(head, *rows)


@router.reads_press("roll")
async def roll(turn: Turn) -> None:
    """Who comes to one of today's sessions: `roll.SESSION.PAGE`."""
    rolls = await _rolls(turn)
    if rolls is None:
        return
    number, _dot, page = turn.argument.partition(".")
    wanted = next((one for one in rolls if str(one.session.id) == number), None)
    if wanted is None:
        turn.say(_("That session is not among today's."), (Button(turn.word(_("Today")), "today"),))
        return
    _say_roll(turn, wanted, int(page) if page.isascii() and page.isdecimal() and len(page) < 4 else 0)


@router.on("/checkin")
@router.on_press("ci")
async def check_in(turn: Turn) -> None:
    """Somebody with a code is here; the second time changes nothing."""
    member = await _member(turn)
    if member is None or not turn.argument:
        await _nothing_here(turn)
        return
    came = await bookings.check_in(turn.db, member.staff_id, code=turn.argument[:20], now=turn.now, desk=turn.use(Desk))
    booking = came.booking
    facts = {
        "name": came.guest or booking.code,
        "title": offers.title(turn, booking.offering),
        "when": booking.session.starts_at,
    }
    if came.already:
        said = _("✓ {name} is checked in already: {title}, {when}.", **facts)
    else:
        said = _("✓ {name} is checked in: {title}, {when}.", **facts)
    undo = Button(turn.word(_("↶ Undo")), f"ciundo.{booking.id}")
    turn.say(said, (undo, Button(turn.word(_("Who comes")), f"roll.{booking.session.id}.0")))


@router.on_press("ciundo")
async def undo(turn: Turn) -> None:
    member = await _member(turn)
    number = turn.argument
    if member is None or not (number.isascii() and number.isdecimal() and len(number) <= 18):
        await _nothing_here(turn)
        return
    booking = await bookings.undo_check_in(
        turn.db, member.staff_id, booking_id=int(number), now=turn.now, desk=turn.use(Desk)
    )
    again = Button(turn.word(_("Check in again")), f"ci.{booking.code}")
    turn.say(_("Undone: {code} is not checked in.", code=booking.code), (again, Button(turn.word(_("Today")), "today")))


async def _rolls(turn: Turn) -> list[Roll] | None:
    """Today's sessions; None for somebody who is not of the staff, and that is said as if nothing were here."""
    member = await _member(turn)
    if member is None:
        await _nothing_here(turn)
        return None
    return await sessions.today(turn.db, member.staff_id, now=turn.now, desk=turn.use(Desk))


async def _nothing_here(turn: Turn) -> None:
    if turn.heard.pressed:
        menu.stale(turn)
    else:
        menu.unknown(turn)


async def _member(turn: Turn) -> OnChat | None:
    return await linking.staff_at(turn.db, turn.person.contact_id)


def _headline(turn: Turn, roll: Roll) -> str:
    session = roll.session
    here = sum(guest.state == "attended" for guest in roll.people)
    return turn.word(
        _(
            "{when} · {title} · {here} of {expected} here · {free} free",
            when=session.starts_at,
            title=offers.title(turn, roll.offering),
            here=here,
            expected=sum(guest.state in ("booked", "attended", "no_show") for guest in roll.people),
            free=session.free,
        )
    )


def _say_roll(turn: Turn, roll: Roll, page: int) -> None:
    shown = roll.people[page * PAGE : (page + 1) * PAGE]
    lines = [_headline(turn, roll), f"📍 {roll.session.where}", *(_line(turn, guest) for guest in shown)]
    expected = [guest for guest in shown if guest.state in ("booked", "no_show")]
    rows = [(Button(f"✓ {guest.name or guest.code}", f"ci.{guest.code}"),) for guest in expected]
    further = [Button(turn.word(_("Today")), "today")]
    if len(roll.people) > (page + 1) * PAGE:
        further.insert(0, Button(turn.word(_("More ›")), f"roll.{roll.session.id}.{page + 1}"))
    turn.say("\n".join(lines), *rows, tuple(further))


def _line(turn: Turn, guest: Guest) -> str:
    who = " ".join(part for part in (guest.code, guest.name, guest.phone) if part)
    return turn.word(_("{who} · {state}", who=who, state=_STATES.get(guest.state, guest.state)))
