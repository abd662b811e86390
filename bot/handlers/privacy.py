"""What we keep of a person, shown and erased on request."""

from datetime import timedelta

from bot.conversation import Router, Turn
from bot.handlers.settings import LANGUAGES
from bot.i18n import Text, _
from bot.messages import Button
from bot.services import bookings, people, riders
from bot.services.city import City
from bot.services.desk import Desk

router = Router()

# How long the button that erases works, so that an old message in the chat does no harm.
SURE_FOR = timedelta(minutes=10)


@router.reads("/privacy", "privacy", "隐私", "隱私")
@router.reads_press("privacy")
def privacy(turn: Turn) -> None:
    turn.say(
        _(
            "You need no name and no number here, but for some bookings: there I ask you first, keep them encrypted "
            "and erase them 30 days after the date.\n"
            "📍 Your location: used for the answer, then forgotten. The buttons of a list carry it encrypted, to about "
            "10 metres; where there are no buttons we keep it encrypted for 30 minutes. What WeChat may tell us of it "
            "as you open the account stays in memory for two minutes, for when you ask what is near.\n"
            "🗂 Kept until you erase it: your address in this chat (to answer you), language, vehicle and county "
            "(to sort for you), and what you reported of places, without where you were.\n"
            "💬 A question that is still open is kept until you answer or cancel it; messages we sent stay for "
            "delivery and for this chat's history. The numbers of messages are kept three days, so that none counts "
            "twice.\n"
            "🌐 On the web page: our server holds its last 50 messages in memory, for an hour at most, in case your "
            "connection drops. Your browser keeps the last 100 lines, what is not sent yet and the key to this "
            "conversation; erasing yourself clears them too, and ⋯ on the page clears the lines alone. Your choice of "
            "print and language stays in the browser."
        ),
        (
            Button(turn.word(_("Show what is kept of me")), "mine"),
            Button(turn.word(_("Erase me")), "erase"),
        ),
        (Button(turn.word(_("Name and number of my bookings")), "consent"),),
        (Button(turn.word(_("A code for the staff")), "mycode"),),
    )


@router.reads_press("mine")
async def mine(turn: Turn) -> None:
    kept = await riders.shown(turn.db, turn.person.rider_id)
    if kept is None:
        turn.say(_("Nothing is kept of you."))
        return
    county = turn.use(City).counties.get(kept.county)
    booked = await bookings.mine(turn.db, turn.person.rider_id, now=turn.now, desk=turn.use(Desk))
    lines = [
        turn.word(_("This is everything kept of you:")),
        turn.word(_("With us since: {at}", at=kept.since)),
        turn.word(_("Chats that are yours: {count}", count=kept.chats)),
        turn.word(_("Language: {language}", language=LANGUAGES.get(kept.locale, kept.locale))),
        turn.word(_("Vehicle: {vehicle}", vehicle=_vehicle(kept.vehicle))),
        turn.word(_("County: {county}", county=county.called(turn.voice.locale) if county else _("not given"))),
        turn.word(_("Open questions: {count}", count=int(kept.question))),
        turn.word(_("Messages waiting for you: {count}", count=kept.waiting)),
        turn.word(_("Messages sent to you: {count}", count=kept.sent)),
        turn.word(_("Bookings: {count}", count=len(booked))),
        turn.word(_("Reports of places: {count}", count=len(kept.reports))),
        *(turn.word(_("· {place}, {at}", place=report.place, at=report.at)) for report in kept.reports[:10]),
    ]
    turn.say("\n".join(lines), (Button(turn.word(_("Erase me")), "erase"),))


@router.on_press("mycode")
async def my_code(turn: Turn) -> None:
    """For who stands at a desk of the city's staff and wants to know, or have changed, what is kept."""
    code = await people.issue(turn.db, turn.person.rider_id, now=turn.now, desk=turn.use(Desk))
    turn.say(
        _(
            "Show the staff this code: {code}\nIt works once, for ten minutes. With it they see what is kept of you, "
            "and give it to you as a file or erase it if you ask them to.",
            code=code,
        )
    )


@router.reads_press("erase")
def erase(turn: Turn) -> None:
    pressed = int(turn.now.timestamp() // 60)
    turn.say(
        _(
            "Erase everything kept of you? Your bookings are cancelled. Your reports of places stay, but nobody can "
            "tell any more that they are yours. This cannot be undone."
        ),
        (Button(turn.word(_("Yes, erase me")), f"forget.{pressed}"), Button(turn.word(_("No, keep it")), "menu")),
    )


@router.on_press("forget")
async def forget(turn: Turn) -> None:
    if not _pressed_lately(turn):
        erase(turn)
        return
    await bookings.forget(turn.db, turn.person.rider_id, now=turn.now, desk=turn.use(Desk))
    turn.changed += await riders.erase(turn.db, turn.person.rider_id)
    turn.erased = True
    turn.say(_("Everything kept of you is erased. Goodbye, and take care on the road."), erased=True)


def _pressed_lately(turn: Turn) -> bool:
    asked = turn.argument
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 12):
        return False
    age = turn.now.timestamp() - int(asked) * 60
    return 0 <= age <= SURE_FOR.total_seconds()


def _vehicle(vehicle: str) -> Text:
    return riders.VEHICLE_NAMES.get(vehicle) or _("not given")
