"""Each role does its own work, and those of a county only within it."""

import pytest

from bot.services import audit, authority
from bot.services.authority import TABLE, Member, NoSuchMember, NotAllowed
from bot.services.staff import ROLES
from tests.services.clinic import Clinic

# Role → what it must do and what it must not.
EXPECTED = {
    "admin": ({"notice.write", "notice.approve", "staff.write", "person.erase", "settings.write"}, set()),
    "editor": ({"notice.write", "notice.steer", "place.write"}, {"notice.approve", "booking.read", "staff.write"}),
    "approver": ({"notice.approve", "notice.steer", "weather.approve"}, {"notice.write", "person.phone"}),
    "operator": ({"booking.check_in", "offering.write", "weather.propose"}, {"notice.write", "notice.approve"}),
    "lawyer": ({"booking.read", "own.account"}, {"figures.read", "notice.read", "place.write", "booking.write"}),
    "county": ({"notice.write", "notice.steer", "booking.write"}, {"notice.approve", "staff.read", "audit.read"}),
    "viewer": ({"figures.read", "own.account"}, {"notice.read", "booking.read", "person.look_up"}),
}


@pytest.mark.parametrize("role", ROLES)
def test_every_role(role: str) -> None:
    member = Member(1, "m", role, ("140802",))
    may, may_not = EXPECTED[role]
    allowed = {action for action in TABLE if authority.may(member, action)}
    assert may <= allowed
    assert not may_not & allowed
    if role == "viewer":
        assert allowed == {"figures.read", "figures.export", "own.account"}


def test_the_table_names_only_roles_that_there_are() -> None:
    assert set().union(*TABLE.values()) == set(ROLES)


def test_an_action_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        authority.may(Member(1, "m", "admin", ()), "notice.wirte")


@pytest.mark.parametrize(
    ("role", "counties", "fine"),
    [
        ("county", ["140802"], True),
        ("county", ["140802", "140823"], False),
        ("county", [], False),  # the whole city
        ("county", None, True),  # belongs to no county
        ("editor", [], True),
        ("viewer", ["140802"], False),
    ],
)
def test_staff_of_a_county(role: str, counties: list[str] | None, fine: bool) -> None:
    member = Member(1, "m", role, ("140802",))
    if fine:
        authority.require(member, "notice.write", counties=counties)
        return
    with pytest.raises(NotAllowed):
        authority.require(member, "notice.write", counties=counties)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_members_are_found_and_what_they_do_is_kept(clinic: Clinic) -> None:
    staff_id = await clinic.staff("county", counties=["140802"])
    member = await clinic.does(authority.member, staff_id)
    assert (member.role, member.counties) == ("county", ("140802",))
    assert await clinic.does(authority.member_called, f" {member.login.upper()} ") == member
    with pytest.raises(NoSuchMember):
        await clinic.does(authority.member, staff_id + 1)
    await clinic.does(audit.record, member, "place.close", "place:7", after={"until": "2026-12-01"})
    await clinic.does(audit.record, None, "place.open", "place:7", before={"state": "closed"})
    entries = await clinic.does(audit.of, "place:7")
    assert [(one.login, one.action) for one in entries] == [(member.login, "place.close"), ("system", "place.open")]
    assert entries[0].after == {"until": "2026-12-01"}
