"""Which county somebody means, or stands in."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.services.city import City, load_city

YUNCHENG = Path(__file__).resolve().parents[2] / "data" / "yuncheng"


@pytest.fixture(scope="module")
def city() -> City:
    return load_city(YUNCHENG)


def test_the_profile_has_thirteen_counties(city: City) -> None:
    assert (city.code, city.name, city.zone) == ("140800", "运城市", ZoneInfo("Asia/Shanghai"))
    assert len(city.counties) == 13
    assert city.code not in city.counties
    assert city.counties["140802"].name == "盐湖区"
    assert all(code == county.code and code.startswith("1408") for code, county in city.counties.items())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("新绛县哪里能充电", "新绛县"),
        ("绛县哪里能充电", "绛县"),
        ("在新绛", "新绛县"),
        ("新絳縣", "新绛县"),
        ("鹽湖區", "盐湖区"),
        ("盐湖工农街", "盐湖区"),
        ("山西省永济市", "永济市"),
        ("河津有没有热水", "河津市"),
        ("运城经济技术开发区", "盐湖区"),
        ("hejin", "河津市"),
        ("Xinjiang County", "新绛县"),
        ("Jiang County", "绛县"),
        ("ＹＡＮＨＵ district", "盐湖区"),
    ],
)
def test_names_are_understood_longest_first(city: City, text: str, name: str) -> None:
    found = city.county_named(text)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("text", ["", "天津市", "天津", "运城", "运城市", "新疆", "hejinx", "津", "县"])
def test_what_is_no_county_of_the_city_is_none(city: City, text: str) -> None:
    assert city.county_named(text) is None


def test_every_county_knows_its_own_names_and_seat(city: City) -> None:
    for county in city.counties.values():
        for locale in ("zh_CN", "zh_TW", "en"):
            assert city.county_named(county.called(locale)) == county
        assert city.county_at(county.lat, county.lng) == county


def test_a_name_is_said_in_the_rider_s_language(city: City) -> None:
    yanhu = city.counties["140802"]
    called = [yanhu.called(locale) for locale in ("zh_CN", "zh_TW", "en")]
    assert called == ["盐湖区", "鹽湖區", "Yanhu District"]
    assert city.called("en") == "Yuncheng"


def test_a_broken_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"city\.toml"):
        load_city(tmp_path)
