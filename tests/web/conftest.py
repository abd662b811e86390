"""What the tests of pages can ask for, and passwords that are quick to check."""

from collections.abc import Iterator
from functools import partial

import pytest
from argon2 import PasswordHasher

from bot.services import staff


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """A password is hashed to take long, and here it is tried a hundred times: the way is the same, the cost is not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staff, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))
        yield
