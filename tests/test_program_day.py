"""A whole day of a city with the whole program, on an office screen and on a phone."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.day import SETTINGS, Day
from tests.program import free_port, serving


@pytest.mark.parametrize("width", [1280, 390])
async def test_a_day_of_a_city(browser: Browser, tmp_path: Path, width: int) -> None:
    async with serving(tmp_path, PORT=str(free_port()), **SETTINGS) as program:
        day = Day(browser, program, tmp_path, width)
        await day.passes()
        assert day.faults() == []
        assert program.errors() == []
