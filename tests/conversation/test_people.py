"""Copies of people: never older than the last notice about them."""

from bot.conversation.people import People
from bot.conversation.turn import Person
from bot.messages import Address

HE = Address("telegram", "1")
KNOWN = Person(1, 1, HE, "zh_CN")


def test_who_changes_while_they_are_read_is_not_kept() -> None:
    people = People()
    with people.meeting(HE) as first:
        people.forget(HE)
        assert not first.holds
    with people.meeting(HE) as second:
        people.forget_all()
        assert not second.holds
    with people.meeting(HE) as third:
        people.forget(Address("telegram", "2"))
        assert third.holds
        people.keep(KNOWN)
    assert people.get(HE) == KNOWN
