from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.services.holidays import Calendar
from bot.services.hours import compiled

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar(
    holidays=frozenset(date(2025, 10, day) for day in range(1, 9)),
    workdays=frozenset({date(2025, 9, 28), date(2025, 10, 11)}),
)


def ask(text: str, when: str) -> tuple[str, str]:
    """The state at a local time, and the local time at which it ends."""
    at = datetime.fromisoformat(when).replace(tzinfo=ZONE)
    opening = compiled(text, ZONE, CALENDAR).at(at)
    return opening.state, f"{opening.until:%Y-%m-%d %H:%M}" if opening.until else ""


@pytest.mark.parametrize(
    ("text", "when", "state", "until"),
    [
        ("24/7", "2025-06-04 03:00", "open", ""),
        ("", "2025-06-04 03:00", "unknown", ""),
        ('"ask the guard"', "2025-06-04 03:00", "unknown", ""),
        ("Mo-Fr 08:00-12:00,14:00-18:00", "2025-06-04 11:59", "open", "2025-06-04 12:00"),
        ("Mo-Fr 08:00-12:00,14:00-18:00", "2025-06-04 12:00", "closed", "2025-06-04 14:00"),
        ("Mo-Fr 08:00-12:00,14:00-18:00", "2025-06-06 18:00", "closed", "2025-06-09 08:00"),
        ("Mo-Fr 08:00-18:00; Sa unknown", "2025-06-07 09:00", "unknown", "2025-06-08 00:00"),
        ("off", "2025-06-04 09:00", "closed", ""),
        ("Jan 10:00-11:00", "2025-06-04 09:00", "closed", ""),
    ],
    ids=str,
)
def test_ordinary_days(text: str, when: str, state: str, until: str) -> None:
    assert ask(text, when) == (state, until)


@pytest.mark.parametrize(
    ("when", "state", "until"),
    [
        ("2025-06-04 21:59", "closed", "2025-06-04 22:00"),
        ("2025-06-04 23:00", "open", "2025-06-05 02:00"),
        ("2025-06-05 01:59", "open", "2025-06-05 02:00"),
        ("2025-06-05 02:00", "closed", "2025-06-05 22:00"),
    ],
)
def test_after_midnight(when: str, state: str, until: str) -> None:
    assert ask("22:00-02:00", when) == (state, until)


@pytest.mark.parametrize(
    ("when", "state", "until"),
    [
        ("2025-09-30 17:00", "open", "2025-09-30 18:00"),
        ("2025-09-30 18:00", "closed", "2025-10-09 09:00"),  # after the holidays, not tomorrow
        ("2025-10-03 10:00", "closed", "2025-10-09 09:00"),
        ("2025-10-08 10:00", "closed", "2025-10-09 09:00"),
        ("2025-10-11 10:00", "open", "2025-10-11 18:00"),  # a Saturday that is worked
        ("2025-10-12 10:00", "closed", "2025-10-13 09:00"),
        ("2025-09-28 10:00", "open", "2025-09-28 18:00"),  # a Sunday that is worked
    ],
)
def test_golden_week_and_make_up_workdays(when: str, state: str, until: str) -> None:
    assert ask("Mo-Fr 09:00-18:00; PH off", when) == (state, until)


@pytest.mark.parametrize(
    ("text", "when", "state"),
    [
        ("Mo-Fr 09:00-18:00; PH 10:00-12:00", "2025-10-07 09:30", "closed"),
        ("Mo-Fr 09:00-18:00; PH 10:00-12:00", "2025-10-07 11:00", "open"),
        ("Mo-Fr,PH 09:00-18:00", "2025-10-05 10:00", "open"),  # a Sunday
        ("PH,Mo-Fr 09:00-18:00", "2025-10-05 10:00", "open"),
        ("Mo-Fr 09:00-18:00", "2025-10-07 10:00", "open"),  # no rule for holidays: a Tuesday as others
        ("Mo-Fr 09:00-18:00", "2025-10-05 10:00", "closed"),
        ("PH off; 09:00-18:00", "2025-10-07 10:00", "open"),  # the last rule wins
        ("Mo-Fr 09:00-18:00; Sa,Su 10:00-16:00", "2025-10-11 09:30", "open"),
        ("Mo-Fr 09:00-18:00; Sa,Su 10:00-16:00", "2025-10-11 17:00", "open"),
        ("Tu-Su 09:00-17:00", "2025-10-11 10:00", "open"),  # closed on Mondays is not closed on workdays
        ("Tu-Su 09:00-17:00", "2025-09-28 10:00", "open"),
        ('Mo-Fr 09:00-18:00; Sa off "not on PH"', "2025-10-07 10:00", "open"),
        ("Sep-Oct Mo-Fr 09:00-18:00; Nov-Aug Mo-Fr 10:00-16:00", "2025-10-11 09:30", "open"),
        ("24/7; PH off", "2025-10-01 00:00", "closed"),
        ("24/7; PH off", "2025-09-30 23:59", "open"),
        ("PH off", "2025-10-01 09:00", "closed"),
    ],
    ids=str,
)
def test_what_rules_say_of_special_days(text: str, when: str, state: str) -> None:
    assert ask(text, when)[0] == state


@pytest.mark.parametrize(
    ("when", "state"),
    [
        ("2025-10-01 01:00", "open"),  # the night that began before the holiday
        ("2025-10-01 23:00", "closed"),
        ("2025-10-02 01:00", "closed"),
        ("2025-10-09 01:00", "closed"),  # the night of the last holiday
        ("2025-10-09 23:00", "open"),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(when: str, state: str) -> None:
    assert ask("Mo-Su 22:00-02:00; PH off", when)[0] == state


def test_the_mainland_s_calendar_is_the_default() -> None:
    hours = compiled("Mo-Fr 09:00-18:00; PH off", ZONE)
    assert hours.at(datetime(2026, 2, 17, 10, tzinfo=ZONE)).state == "closed"
    assert hours.at(datetime(2026, 2, 14, 10, tzinfo=ZONE)).state == "open"  # a Saturday that is worked


@pytest.mark.parametrize("text", ["24小时", "9-5", "Mo-Fr 25:00-26:00x", "abc", ";", "Mo-Fr 09:00-18:00;"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        compiled(text, ZONE, CALENDAR)


def test_one_text_is_compiled_once() -> None:
    assert compiled("Mo-Fr 08:00-18:00", ZONE) is compiled("Mo-Fr 08:00-18:00", ZONE)


TIMES = st.tuples(st.integers(0, 23), st.integers(1, 14)).map(lambda t: f"{t[0]:02}:00-{(t[0] + t[1]) % 24:02}:30")
DAYS = st.sampled_from(["", "Mo-Fr ", "Sa,Su ", "Tu-Su ", "PH,Mo-Fr ", "Mo-Su ", "Oct "])
TAILS = st.sampled_from(["", "; PH off", "; PH 10:00-12:00", "; Su unknown", "; Oct 10:00-15:00"])
TEXTS = st.builds("{}{}{}".format, DAYS, TIMES, TAILS)
MOMENTS = st.integers(0, 30 * 24 * 60).map(
    lambda minutes: datetime(2025, 9, 20, tzinfo=ZONE) + timedelta(minutes=minutes)
)


@settings(deadline=None)
@given(TEXTS, MOMENTS)
def test_the_state_holds_until_it_flips(text: str, when: datetime) -> None:
    hours = compiled(text, ZONE, CALENDAR)
    opening = hours.at(when)
    if opening.until is None:
        assert all(hours.at(when + timedelta(days=day)).state == opening.state for day in range(7))
        return
    assert opening.until > when
    assert hours.at(opening.until - timedelta(seconds=1)).state == opening.state
    assert hours.at(opening.until).state != opening.state


@settings(deadline=None)
@given(TEXTS, MOMENTS, MOMENTS)
def test_answers_do_not_depend_on_what_was_asked_before(text: str, first: datetime, then: datetime) -> None:
    fresh = compiled.__wrapped__(text, ZONE, CALENDAR).at(then)
    hours = compiled.__wrapped__(text, ZONE, CALENDAR)
    hours.at(first)
    again = hours.at(then)
    assert again.state == fresh.state
    if again.until and fresh.until:
        assert again.until == fresh.until
