"""What tests of services can ask for."""

import pytest

from bot.database import Database
from tests.services.clinic import Clinic
from tests.services.newsdesk import Newsdesk


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return Clinic(database)


@pytest.fixture
def desk(clinic: Clinic) -> Newsdesk:
    return Newsdesk(clinic)
