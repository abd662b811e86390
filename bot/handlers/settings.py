"""What a rider tells us of themselves: vehicle, county, language. All of it can be left out."""

from dataclasses import replace

from bot import i18n
from bot.conversation import Asked, AskLocation, Choose, Confirm, Dialog, Done, Next, Router, Turn
from bot.handlers.menu import MENU, doors
from bot.i18n import Text, _
from bot.messages import Button, Location
from bot.services import riders
from bot.services.city import City

router = Router()

# Each language says its own name, so that whoever needs it can read it.
LANGUAGES = {"zh_CN": "简体中文", "zh_TW": "繁體中文", "en": "English"}
NONE = "none"
HERE = "here"


@router.reads("/settings", "settings", "设置", "設置", "設定")
@router.reads_press("settings")
def settings(turn: Turn) -> None:
    person = turn.person
    counties = turn.use(City).counties
    county = counties.get(person.county)
    turn.say(
        _(
            "Your settings. All of them are optional.\nVehicle: {vehicle}\nCounty: {county}\nLanguage: {language}",
            vehicle=riders.VEHICLE_NAMES.get(person.vehicle) or _("not given"),
            county=county.called(turn.voice.locale) if county else _("not given"),
            language=LANGUAGES[turn.voice.locale],
        ),
        (_button(turn, _("Vehicle"), "vehicles"), _button(turn, _("County"), "county")),
        (_button(turn, _("Language"), "language"), _button(turn, _("Privacy"), "privacy")),
        (_button(turn, _("🔔 Notices"), "nset"), _button(turn, _("🔗 My other chat"), "link")),
        (_button(turn, MENU, "menu"),),
    )


@router.reads_press("vehicles")
def vehicles(turn: Turn) -> None:
    named = [_button(turn, name, f"drive.{vehicle}") for vehicle, name in riders.VEHICLE_NAMES.items()]
    unsaid = _button(turn, _("I would rather not say"), f"drive.{riders.SKIPPED}")
    turn.say(
        _("What do you drive? It decides which places come first and how long the way takes."),
        tuple(named[:2]),
        tuple(named[2:]),
        (unsaid,),
    )


@router.on_press("drive")
async def drive(turn: Turn) -> None:
    await remember_vehicle(turn, turn.argument)
    settings(turn)


async def remember_vehicle(turn: Turn, vehicle: str) -> None:
    """Save what this rider drives and go on with it in this turn; a forged choice changes nothing."""
    if vehicle not in riders.VEHICLE_NAMES and vehicle != riders.SKIPPED:
        return
    await riders.choose_vehicle(turn.db, turn.person.rider_id, vehicle)
    turn.person = replace(turn.person, vehicle=vehicle)


@router.reads("/language", "language", "语言", "語言")
@router.reads_press("language")
def language(turn: Turn) -> None:
    rows = tuple((Button(name, f"speak.{locale}"),) for locale, name in LANGUAGES.items())
    turn.say(_("Which language shall I speak?"), *rows)


@router.on_press("speak")
async def speak(turn: Turn) -> None:
    locale = turn.argument
    if locale not in LANGUAGES:
        language(turn)
        return
    await riders.choose_language(turn.db, turn.person.contact_id, locale)
    turn.person = replace(turn.person, locale=locale)
    turn.voice = i18n.voice(locale, turn.voice.zone)
    turn.say(_("From now on I speak {language}.", language=LANGUAGES[locale]), *doors(turn))


@router.on_press("county")
class ChooseCounty(Dialog, name="county"):
    """Which county somebody works in, from the list or proposed from where they are."""

    proposed: str = ""

    async def ask_county(self, turn: Turn) -> Asked:
        counties = turn.use(City).counties.values()
        options: dict[str, Text | str] = {county.code: county.called(turn.voice.locale) for county in counties}
        return Choose(
            _("Which county do you work in?"),
            {HERE: _("📍 Where I am"), **options, NONE: _("No county")},
        )

    async def take_county(self, turn: Turn, chosen: str) -> Next:
        if chosen == HERE:
            return self.ask_here
        return await self._choose(turn, "" if chosen == NONE else chosen)

    async def ask_here(self, turn: Turn) -> Asked:
        return AskLocation(_("Send your location and I look which county it is in. It is not kept."))

    async def take_here(self, turn: Turn, here: Location) -> Next:
        self.proposed = turn.use(City).county_at(here.lat, here.lng).code
        return self.ask_right

    async def ask_right(self, turn: Turn) -> Asked:
        county = turn.use(City).counties[self.proposed].called(turn.voice.locale)
        return Confirm(_("That looks like {county}. Is it your county?", county=county))

    async def take_right(self, turn: Turn, yes: bool) -> Next:
        return await self._choose(turn, self.proposed) if yes else self.ask_county

    async def _choose(self, turn: Turn, code: str) -> Done:
        await riders.choose_county(turn.db, turn.person.rider_id, code)
        turn.person = replace(turn.person, county=code)
        settings(turn)
        return Done()


def _button(turn: Turn, label: Text, token: str) -> Button:
    return Button(turn.word(label), token)
