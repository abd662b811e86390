"""What the city tells a rider: read again, answered, and switched on and off by buttons or by “TD”."""

from bot.conversation import Router, Turn
from bot.handlers.menu import MENU, stale
from bot.i18n import Text, _
from bot.messages import Button
from bot.services import notices, offerings, preferences
from bot.services.broadcasts import mailbox, resolving, responses
from bot.services.broadcasts.audience import Reach
from bot.services.desk import Desk
from bot.services.preferences import QUIET_HOURS, WEEKLY

router = Router()

MOST_LISTED = 8


@router.reads("/notices", "notices", "通知", "公告")
@router.reads_press("notices")
async def recent(turn: Turn) -> None:
    """The last thirty days, the newest first: `notices.FIRST` goes on from the one of that place."""
    first = _number(turn.argument)
    wanted = await preferences.of(turn.db, turn.person.rider_id)
    told = await mailbox.recent(turn.db, turn.person.rider_id, now=turn.now)
    if not told:
        if not wanted.comes:
            _propose(turn)
            return
        nothing = _("No notices in the last thirty days. They come here by themselves.")
        turn.say(nothing, (_settings(turn), _menu(turn)))
        return
    first = first if first < len(told) else 0
    shown = told[first : first + MOST_LISTED]
    rows = [(Button(_titled(turn, one), f"nread.{one.broadcast_id}"),) for one in shown]
    if len(told) > first + MOST_LISTED:
        rows.append((Button(turn.word(_("Earlier ones ›")), f"notices.{first + MOST_LISTED}"),))
    turn.say(_("Notices of the last thirty days. Tap one to read it."), *rows, (_settings(turn), _menu(turn)))


@router.on_press("nread")
async def read(turn: Turn) -> None:
    """One of them, in full."""
    number = _number(turn.argument)
    letter = await responses.letter_to(turn.db, number, turn.person.rider_id, voice=turn.voice)
    if letter is None:
        stale(turn)
        return
    await responses.note_read(turn.db, number, turn.person.rider_id, now=turn.now)
    turn.said.append(letter)


@router.on_press("mail")
async def more(turn: Turn) -> None:
    """The next ones in the mailbox."""
    waiting = await mailbox.take(turn.db, turn.person.contact_id, turn.voice, now=turn.now)
    if not waiting:
        turn.say(_("That was all of them."), (Button(turn.word(_("Notices")), "notices"), _menu(turn)))
    turn.said += waiting


@router.on_press("notice")
async def act(turn: Turn) -> None:
    """A button under a notice: `notice.BROADCAST.N`."""
    number, _dot, n = turn.argument.partition(".")
    button = await responses.press(turn.db, _number(number), turn.person.rider_id, n=_number(n), now=turn.now)
    kind, target = (button["kind"], button["target"]) if button else ("", "")
    match kind:
        case "received":
            turn.say(_("Thank you, noted. Take care."))
        case "help":
            turn.follows = f"helpme.{number}"
        case "place":
            turn.follows = f"pcode.{target}"
        case "offering":
            turn.follows = f"book.{(await offerings.one(turn.db, desk=turn.use(Desk), code=target)).id}"
        case "page":
            turn.follows = f"page.{target}"
        case _:
            stale(turn)


@router.on("退订", "退訂", "td", "t d", "t", "unsubscribe", "/stop")
async def stop_this_kind(turn: Turn) -> None:
    """No more of the kind that came last."""
    if turn.argument.strip().casefold() in ("all", "全部"):
        await stop_all(turn)
        return
    last = await mailbox.last_kind(turn.db, turn.person.rider_id)
    if not last:
        await stop_all(turn)
        return
    turn.argument = last
    await mute(turn)


@router.on("td 全部", "td全部", "退订 全部", "退订全部", "退訂 全部", "退訂全部", "全部退订", "td all", "stop all")
@router.on_press("nstop")
async def stop_all(turn: Turn) -> None:
    await preferences.stop_all(turn.db, turn.person.rider_id, now=turn.now)
    again = Button(turn.word(_("🔔 Tell me again")), "nagree")
    turn.say(_("Done: no more notices of any kind, red alerts included. Reminders of bookings still come."), (again,))


@router.on_press("nagree")
async def agree(turn: Turn) -> None:
    """One tap is the consent."""
    await preferences.agree(turn.db, turn.person.rider_id, now=turn.now)
    await resolving.enlist(turn.db, turn.person.rider_id, turn.use(Reach), now=turn.now)
    turn.say(
        _(
            "🔔 Switched on: safety, weather and policy notices. Nothing by night or at your busy hours. "
            "Answer TD to stop a kind, “TD 全部” to stop all."
        ),
        (_settings(turn), _menu(turn)),
    )


@router.reads_press("nno")
def not_now(turn: Turn) -> None:
    turn.say(_("All right, no notices. You can switch them on under Settings at any time."), (_menu(turn),))


@router.on_press("mute")
async def mute(turn: Turn) -> None:
    category = turn.argument
    if category not in notices.CATEGORIES:
        stale(turn)
        return
    await preferences.mute(turn.db, turn.person.rider_id, category)
    turn.say(
        _("Done: no more about “{kind}”; only red alerts still come. “TD 全部” stops all.", kind=_kind(category)),
        (Button(turn.word(_("↶ Undo")), f"unmute.{category}"), Button(turn.word(_("Stop all")), "nstop")),
        (_settings(turn),),
    )


@router.on_press("unmute")
async def unmute(turn: Turn) -> None:
    if turn.argument in notices.CATEGORIES:
        await preferences.unmute(turn.db, turn.person.rider_id, turn.argument)
    await wishes(turn)


@router.on_press("ntopic")
async def toggle(turn: Turn) -> None:
    """A topic in the settings, switched over."""
    wanted = await preferences.of(turn.db, turn.person.rider_id)
    if turn.argument in wanted.muted:
        await preferences.unmute(turn.db, turn.person.rider_id, turn.argument)
    elif turn.argument in notices.CATEGORIES:
        await preferences.mute(turn.db, turn.person.rider_id, turn.argument)
    await wishes(turn)


@router.reads_press("nset")
async def wishes(turn: Turn) -> None:
    """The settings of notices."""
    wanted = await preferences.of(turn.db, turn.person.rider_id)
    if not wanted.comes:
        _propose(turn)
        return
    topics = [
        Button(f"{'○' if topic in wanted.muted else '✓'} {turn.word(name)}", f"ntopic.{topic}")
        for topic, name in notices.CATEGORIES.items()
    ]
    turn.say(
        _(
            "Notices: on. Quiet hours: {quiet}. At most {weekly} a week, the rest together on Sunday.\n"
            "Tap a kind to switch it off or on. Red alerts come at any hour.",
            quiet=_hours(wanted.quiet),
            weekly=wanted.weekly,
        ),
        *(tuple(topics[i : i + 2]) for i in range(0, len(topics), 2)),
        (Button(turn.word(_("🌙 Quiet hours")), "nquiet"), Button(turn.word(_("How many a week")), "nweek")),
        (Button(turn.word(_("Stop all")), "nstop"), Button(turn.word(_("⚙ Settings")), "settings")),
    )


@router.on_press("nquiet")
async def quiet(turn: Turn) -> None:
    chosen = tuple(_number(part) for part in turn.argument.split("-")) if turn.argument else ()
    if chosen in QUIET_HOURS:
        await preferences.choose_quiet(turn.db, turn.person.rider_id, (chosen[0], chosen[1]))
        await wishes(turn)
        return
    rows = tuple((Button(_hours(hours), f"nquiet.{hours[0]}-{hours[1]}"),) for hours in QUIET_HOURS)
    turn.say(_("When shall I be quiet? Besides, I keep normal notices out of your busy hours."), *rows)


@router.on_press("nweek")
async def weekly(turn: Turn) -> None:
    if (chosen := _number(turn.argument)) in WEEKLY:
        await preferences.choose_weekly(turn.db, turn.person.rider_id, chosen)
        await wishes(turn)
        return
    rows = tuple(Button(str(number), f"nweek.{number}") for number in WEEKLY)
    turn.say(_("At most how many notices a week? More than that come together on Sunday; urgent ones always."), rows)


def proposal(turn: Turn) -> tuple[Button, ...]:
    """A row that offers notices to somebody who has not been asked."""
    return (Button(turn.word(_("🔔 Tell me of snow, safety, policies")), "nset"),)


def _propose(turn: Turn) -> None:
    turn.say(
        _(
            "Shall I tell you of snow and ice, safety in winter, policies and free offers? Not by night, not at your "
            "busy hours, at most five a week; only red alerts come at any hour. You can stop it by answering TD."
        ),
        (Button(turn.word(_("🔔 Yes, tell me")), "nagree"), Button(turn.word(_("No, thanks")), "nno")),
    )


def _titled(turn: Turn, told: mailbox.Told) -> str:
    at = told.at.astimezone(turn.voice.zone)
    return f"{at.month}/{at.day} {told.title(turn.voice.locale)}"


def _kind(category: str) -> Text:
    return notices.CATEGORIES[category]


def _hours(quiet: tuple[int, int]) -> str:
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in quiet)


def _number(text: str) -> int:
    """A number in a token from outside; 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else 0


def _settings(turn: Turn) -> Button:
    return Button(turn.word(_("🔔 Which, when, how many")), "nset")


def _menu(turn: Turn) -> Button:
    return Button(turn.word(MENU), "menu")
