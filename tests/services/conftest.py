"""What tests of services can ask for."""

import pytest

from bot.database import Database
from tests.services.clinic import Clinic


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return Clinic(database)
