"""One's own bookings: shown, moved, cancelled; offers answered; how it was."""

from bot.conversation import Ask, Asked, Choose, Dialog, Done, Next, Router, Turn
from bot.errors import Problem
from bot.handlers import offers
from bot.handlers.menu import MENU
from bot.i18n import Text, _
from bot.messages import Button
from bot.services import bookings, consents, sessions, waitlist
from bot.services.bookings import Booking
from bot.services.desk import Desk
from bot.services.sessions import Session

router = Router()

PAGE = 5
MOST_SHOWN = 10
MORE = "more"


@router.reads("/bookings", "bookings", "我的预约", "我的預約")
@router.reads_press("bookings")
async def my_bookings(turn: Turn) -> None:
    mine = await bookings.mine(turn.db, turn.person.rider_id, now=turn.now, desk=turn.use(Desk))
    book = (Button(turn.word(_("🗓 Book something")), "book"), Button(turn.word(MENU), "menu"))
    lines = [turn.word(_("Your bookings:") if mine else _("You have no bookings."))]
    lines += await _standing(turn)
    rows = [(Button(offers.line(turn, one), f"bk.{one.id}"),) for one in mine[:MOST_SHOWN]]
    turn.say("\n".join(lines), *rows, book)


@router.reads_press("bk")
async def show(turn: Turn) -> None:
    offers.show(turn, await _mine(turn))


@router.reads_press("bkcancel")
async def sure(turn: Turn) -> None:
    """Ask once before a booking ends; say so where it will be counted."""
    booking = await _mine(turn)
    if not booking.is_live:
        offers.show(turn, booking)
        return
    said = _("Leave the waiting list?") if booking.state == "waiting" else _("Cancel this booking?")
    lines = [turn.word(said), offers.line(turn, booking)]
    if bookings.cancel_is_late(booking, turn.now):
        lines.append(
            turn.word(
                _("It is late, so it is counted: two in 90 days pause booking for 14 days. Not coming counts too.")
            )
        )
    keep = Button(turn.word(_("No, I keep my place")), f"bk.{booking.id}")
    turn.say("\n".join(lines), (Button(turn.word(_("✕ Yes, cancel it")), f"bkdrop.{booking.id}"), keep))


@router.on_press("bkdrop")
async def drop(turn: Turn) -> None:
    cancelled = await bookings.cancel(
        turn.db, turn.person.rider_id, booking_id=_number(turn), now=turn.now, desk=turn.use(Desk)
    )
    lines = [turn.word(_("Cancelled. Thank you for saying so: somebody else can come instead."))]
    if cancelled.late:
        lines.append(turn.word(_("It was late, so it is counted.")))
        lines += await _standing(turn)
    again = Button(turn.word(_("Find another time")), f"bkagain.{cancelled.booking.offering.id}")
    turn.say("\n".join(lines), (again, Button(turn.word(_("My bookings")), "bookings")))


@router.on_press("bkok")
async def keep(turn: Turn) -> None:
    """A session that was moved by the staff suits."""
    booking = await bookings.keep(turn.db, turn.person.rider_id, booking_id=_number(turn), now=turn.now)
    offers.show(turn, booking, _("Good. See you there!"))


@router.on_press("bkyes")
async def accept(turn: Turn) -> None:
    booking = await waitlist.accept(
        turn.db, turn.person.rider_id, booking_id=_number(turn), now=turn.now, desk=turn.use(Desk)
    )
    first = _("✅ Your request is with the staff.") if booking.state == "pending" else _("✅ Booked!")
    offers.show(turn, booking, first)


@router.on_press("bkno")
async def decline(turn: Turn) -> None:
    await waitlist.decline(turn.db, turn.person.rider_id, booking_id=_number(turn), now=turn.now, desk=turn.use(Desk))
    turn.say(_("All right, the next in the list is asked. Nothing is counted."), (Button(turn.word(MENU), "menu"),))


@router.on_press("bkrate")
async def rate(turn: Turn) -> None:
    number, _dot, stars = turn.argument.partition(".")
    given = int(stars) if stars in ("1", "2", "3", "4", "5") else 0
    await bookings.rate(turn.db, turn.person.rider_id, booking_id=_number(turn, number), stars=given)
    word = Button(turn.word(_("✍ Add a word")), f"bkword.{number}")
    turn.say(_("Thank you for {stars} of 5.", stars=given), (word, Button(turn.word(MENU), "menu")))


@router.on_press("bkword")
class Remark(Dialog, name="remark"):
    """A word about how it was."""

    booking: int = 0

    async def begin(self, turn: Turn) -> Asked:
        try:
            self.booking = (await _mine(turn)).id
        except Problem as problem:
            return Done(problem.text)
        return self.ask_word

    async def ask_word(self, turn: Turn) -> Asked:
        return Ask(_("What was good, what should be better? The staff read it without your name."))

    async def take_word(self, turn: Turn, word: str) -> Next:
        await bookings.remark(turn.db, turn.person.rider_id, booking_id=self.booking, text=word, desk=turn.use(Desk))
        return Done(_("Thank you, noted."))


@router.on_press("bkmove")
class Move(Dialog, name="move"):
    """Another time of the same offer; the old seat is kept until there is a new one."""

    booking: int = 0
    skip: int = 0

    async def begin(self, turn: Turn) -> Asked:
        try:
            booking = await _mine(turn)
        except Problem as problem:
            return Done(problem.text)
        if booking.state not in ("booked", "pending"):
            offers.show(turn, booking)
            return Done()
        self.booking = booking.id
        return self.ask_session

    async def ask_session(self, turn: Turn) -> Asked:
        try:
            booking = await bookings.one(turn.db, turn.person.rider_id, booking_id=self.booking, now=turn.now)
        except Problem as problem:
            return Done(problem.text)
        free = await _free(turn, booking)
        if not free[self.skip :]:
            self.skip = 0
        if not free:
            turn.say(
                _("There is no other time with a free place. Your booking stays as it is."),
                (Button(turn.word(_("My booking")), f"bk.{booking.id}"), Button(turn.word(MENU), "menu")),
            )
            return Done()
        options: dict[object, Text | str] = {
            one.id: offers.time_label(turn, one) for one in free[self.skip : self.skip + PAGE]
        }
        if len(free) > self.skip + PAGE:
            options[MORE] = _("More ›")
        lines = [turn.word(_("To which time? Until you choose, your place stays yours:")), offers.line(turn, booking)]
        if bookings.cancel_is_late(booking, turn.now):
            lines.append(turn.word(_("Moving it now counts like cancelling late.")))
        return Choose("\n".join(lines), options)

    async def take_session(self, turn: Turn, chosen: int | str) -> Next:
        if chosen == MORE:
            self.skip += PAGE
            return self.ask_session
        moved = await bookings.move(
            turn.db,
            turn.person.rider_id,
            booking_id=self.booking,
            session_id=int(chosen),
            now=turn.now,
            desk=turn.use(Desk),
        )
        offers.show(turn, moved, _("✅ Moved. Your code stays the same."))
        return Done()


@router.reads_press("consent")
async def consent(turn: Turn) -> None:
    """What was agreed to for bookings, and the way back."""
    if not await consents.given(turn.db, turn.person.rider_id, consents.BOOKING):
        turn.say(_("You have not agreed to anything, and no name or number of yours is kept."))
        return
    withdraw = Button(turn.word(_("Withdraw it and erase")), "unconsent")
    turn.say(
        _(
            "You agreed that your name, number and note are kept for your bookings. Withdraw it? They are erased at "
            "once; your bookings stay, by their code."
        ),
        (withdraw, Button(turn.word(_("No, keep it")), "menu")),
    )


@router.on_press("unconsent")
async def withdraw_consent(turn: Turn) -> None:
    await consents.withdraw(turn.db, turn.person.rider_id, consents.BOOKING, now=turn.now)
    turn.say(
        _("Withdrawn. Names, numbers and notes of your bookings are erased. Before the next one I ask you again."),
        (Button(turn.word(_("My bookings")), "bookings"), Button(turn.word(MENU), "menu")),
    )


async def _mine(turn: Turn) -> Booking:
    return await bookings.one(turn.db, turn.person.rider_id, booking_id=_number(turn), now=turn.now)


async def _free(turn: Turn, booking: Booking) -> list[Session]:
    """Times with a seat, without the one that this booking has."""
    found = await sessions.upcoming(
        turn.db,
        offering_id=booking.offering.id,
        now=turn.now,
        desk=turn.use(Desk),
        vehicle=turn.person.vehicle,
        limit=100,
        full=False,
    )
    return [one for one in found if one.id != booking.session.id]


async def _standing(turn: Turn) -> list[str]:
    """How somebody stands with the rule that everybody can read, where there is anything to say."""
    standing = await bookings.standing(turn.db, turn.person.rider_id, now=turn.now)
    if standing.paused_until:
        until = standing.paused_until
        return [turn.word(_("Booking pauses for you until {until}. The staff can undo it.", until=until))]
    if standing.strikes:
        return [turn.word(_("Counted in the last 90 days: {count} of 2.", count=standing.strikes))]
    return []


def _number(turn: Turn, argument: str | None = None) -> int:
    """The booking that a button carries; what is no number is nobody's booking."""
    number = turn.argument if argument is None else argument
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise bookings.NoSuchBooking
    return int(number)
