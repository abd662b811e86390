"""Policies in short: the list, a card with its source, and unpaid wages and injuries, which people ask for by name."""

from datetime import date

from bot.conversation import Route, Router, Turn
from bot.handlers.menu import MENU, share
from bot.handlers.rights import call, lawyer
from bot.handlers.searches import packed
from bot.i18n import Text, _
from bot.messages import Button
from bot.services.policies import Card, Policies, speaks_of_rules
from bot.services.wishes import Wish

router = Router()

MOST_CHOICES = 4


@router.reads("/policy", "policy", "policies", "政策", "政策规定", "权益")
@router.reads_press("policies")
def policies(turn: Turn) -> None:
    """All cards that hold at present."""
    cards = turn.use(Policies).current(_today(turn))
    if not cards:
        _say_none(turn)
        return
    turn.say(_("Rights and rules in short, each with its source. Which one?"), *_titles(turn, cards), (_menu(turn),))


@router.reads_press("page")
def page(turn: Turn) -> None:
    """A card by its code, as buttons of notices carry it."""
    _show(turn, turn.argument)


@router.reads("/wages", "欠薪", "讨薪")
@router.reads_press("wages")
def wages(turn: Turn) -> None:
    _show(turn, "wages")


@router.reads("/injury", "工伤", "职业伤害")
@router.reads_press("injury")
def injury(turn: Turn) -> None:
    _show(turn, "injury")


async def asked(turn: Turn) -> None:
    """Words about a policy: its card, a few to choose from, or all of them."""
    cards = turn.use(Policies).find(turn.heard.text, _today(turn))
    if not cards:
        policies(turn)
    elif len(cards) == 1:
        _say(turn, cards[0])
    else:
        turn.say(_("What do you mean?"), *_titles(turn, cards[:MOST_CHOICES]), (_menu(turn),))


def read(text: str, turn: Turn) -> Route | None:
    """The route for words that ask what a rule says, of something that a card is about."""
    if speaks_of_rules(text) and turn.use(Policies).find(text, _today(turn)):
        return Route(asked, reads=True)
    return None


def words(turn: Turn, code: str) -> Text | str:
    """What the card `code` says; whom to ask instead while nobody has checked it again."""
    card = turn.use(Policies).page(code, _today(turn))
    return _worded(turn, card) if card else _NOT_NOW


_NOT_NOW = _(
    "This card is being checked again and is not shown meanwhile. Ask 12333 about work and insurance, 12348 about the "
    "law, 12345 about the city."
)


def _show(turn: Turn, code: str) -> None:
    card = turn.use(Policies).page(code, _today(turn))
    if card:
        _say(turn, card)
    else:
        _say_none(turn)


def _say_none(turn: Turn) -> None:
    turn.say(_NOT_NOW, (call(turn, "12333"), call(turn, "12345")), (_menu(turn),))


def _say(turn: Turn, card: Card) -> None:
    turn.say(_worded(turn, card), *_ways(turn, card), (_all(turn), _menu(turn)))


def _worded(turn: Turn, card: Card) -> str:
    said = card.in_locale(turn.voice.locale)
    lines = [
        _("📜 {title}", title=said.title),
        _("Who: {who}", who=said.who),
        _("Since when: {since}", since=said.since),
        _("What to do: {what}", what=said.what),
        _("Where: {where}", where=said.where),
        _("⚠ {note}", note=said.note),
        _(
            "Source: {source}. Checked {reviewed}, good until {review_by}.",
            source=card.source,
            reviewed=card.reviewed.isoformat(),
            review_by=card.review_by.isoformat(),
        ),
    ]
    return "\n".join(turn.word(line) for line in lines)


def _ways(turn: Turn, card: Card) -> list[tuple[Button, ...]]:
    """The card's own buttons: calls side by side, the others in a row each."""
    calls = []
    others = list[tuple[Button, ...]]()
    for button in card.buttons:
        kind, _colon, target = button.partition(":")
        match kind:
            case "call":
                calls.append(call(turn, target))
            case "lawyer":
                others.append((lawyer(turn),))
            case "near":
                others.append(share(turn))
            case "find":
                wish = packed(Wish(amenities=frozenset({target})))
                others.append((Button(turn.word(_("🔎 Find the nearest")), f"find.{wish}"),))
    return [tuple(calls), *others] if calls else others


def _titles(turn: Turn, cards: list[Card]) -> list[tuple[Button, ...]]:
    return [(Button(card.in_locale(turn.voice.locale).title, f"page.{card.code}"),) for card in cards]


def _all(turn: Turn) -> Button:
    return Button(turn.word(_("📜 Rights and rules")), "policies")


def _menu(turn: Turn) -> Button:
    return Button(turn.word(MENU), "menu")


def _today(turn: Turn) -> date:
    return turn.now.astimezone(turn.voice.zone).date()
