"""Stories of the suite once more, over the real callback in plain and in AES mode."""

from collections.abc import AsyncIterator

import pytest

from bot.database import Database
from tests.callback import CallbackWorld, RiderOnWeChat, behind_an_account
from tests.handlers.conftest import fair, settle, town
from tests.handlers.test_bookings import (
    test_a_health_check,
    test_a_message_that_comes_twice_books_once,
    test_back_goes_through_the_questions,
    test_legal_advice_on_unpaid_wages,
    test_menu_and_location_in_every_step,
)
from tests.handlers.test_nearest import (
    test_a_filter_is_switched_on_and_off,
    test_the_vehicle_is_asked_once_and_sorts_the_same_list_again,
)
from tests.handlers.test_notices import (
    test_nothing_comes_before_one_tap_of_consent,
    test_td_stops_this_kind_and_td_all_stops_everything,
)

__all__ = [
    "fair",
    "settle",
    "test_a_filter_is_switched_on_and_off",
    "test_a_health_check",
    "test_a_message_that_comes_twice_books_once",
    "test_back_goes_through_the_questions",
    "test_legal_advice_on_unpaid_wages",
    "test_menu_and_location_in_every_step",
    "test_nothing_comes_before_one_tap_of_consent",
    "test_td_stops_this_kind_and_td_all_stops_everything",
    "test_the_vehicle_is_asked_once_and_sorts_the_same_list_again",
    "town",
]

pytestmark = pytest.mark.usefixtures("town")


@pytest.fixture(params=["plain", "aes"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_kind(mode: str) -> str:
    return "sqlite"


@pytest.fixture
async def world(database: Database, mode: str) -> AsyncIterator[CallbackWorld]:
    async with behind_an_account(database, "service-verified", aes=mode == "aes") as world:
        yield world


@pytest.fixture
def rider(world: CallbackWorld) -> RiderOnWeChat:
    return world.rider("mei")
