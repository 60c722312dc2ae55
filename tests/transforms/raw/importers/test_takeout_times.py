"""Local times on pages of Google Takeout: languages, orders and zones; what a page does not show is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from feature_repo.errors import InputError
from transforms.raw.importers.takeout_times import MONTHS, PageTimes, months_of

MOMENT = datetime(2024, 1, 5, 19, 45, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "Jan 5, 2024, 11:45:23\u202fAM PST|Jul 5, 2024, 1:00:00 PM PDT",
        "Jan 5, 2024, 2:45:23 PM EST",
        "5 Jan 2024, 19:45:23 GMT",
        "6 Jan 2024, 6:45:23 am AEDT",
        "05.01.2024, 20:45:23 MEZ",
        "5 janv. 2024, 20:45:23 CET",
        "5 janv. 2024 à 20:45:23 UTC+1",
        "5 ene 2024, 20:45:23 CET",
        "5 ene 2024, 2:45:23 p.\u00a0m. COT",
        "5 gen 2024, 20:45:23 CET",
        "5 de jan. de 2024, 16:45:23 BRT",
        "5 jan. 2024 20:45:23 CET",
        "5. jan. 2024 20.45.23 CET",
        "5.1.2024 klo 21.45.23 EET",
        "5. 1. 2024 20:45:23 CET",
        "5 sty 2024, 20:45:23 CET",
        "5 янв. 2024 г., 22:45:23 MSK",
        "5 січ. 2024 р., 21:45:23 EET",
        "5 Oca 2024 22:45:23 TRT",
        "5 Oca 2024 22:45:23 GMT+03:00",
        "2024. jan. 5. 20:45:23 CET",
        "2024/01/06 4:45:23 JST",
        "2024. 1. 6. 오전 4:45:23 KST",
        "2024年1月6日 上午3:45:23 GMT+8",
        "5 thg 1, 2024, 19:45:23 UTC",
        "6 जन॰ 2024, 1:15:23 am IST|6 जुल॰ 2024, 1:15:23 am IST",
        "13/01/2024, 20:45:23 CET|05/01/2024, 20:45:23 CET",
        "1/5/2024, 8:45:23 PM CET|1/13/2024, 8:45:23 PM CET",
    ],
)
def test_one_moment_in_the_forms_of_many_accounts(written: str) -> None:
    texts = written.split("|")
    moments = [PageTimes(texts).read(text) for text in texts]
    assert (MOMENT, "") in moments
    assert all(moment for moment, _ in moments)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("Jan 5, 2024, 2:45:23 PM", "a time without a zone"),
        ("Jan 5, 2024, 2:45:23 PM IST", "IST may mean several zones"),
        ("Jan 5, 2024, 2:45:23 PM CST", "CST may mean several zones"),
        ("Jan 5, 2024, 2:45:23 PM AST|Jul 5, 2024, 2:45:23 PM AST", "AST may mean several zones"),
        ("Jan 5, 2024, 2:45:23 PM QQQ", "QQQ may mean several zones, or none"),
        ("01/05/2024, 20:45:23 CET", "does not show whether the day or the month comes first"),
        ("13/05/2024, 20:45:23 CET|05/13/2024, 20:45:23 CET", "does not show whether"),
        ("5 lis 2023, 20:45:23 CET", "a month of an unknown language, or of several"),
        ("5 xyz 2023, 20:45:23 CET", "a month of an unknown language, or of several"),
        ("5 ม.ค. 2567 20:45:23 UTC", "no time of a known form"),
        ("31 feb 2024, 20:45:23 CET", "no time of a known form"),
        ("5 jan 2024, 13:45:23 PM CET", "no time of a known form"),
        ("5 jan 2024, 23:65:23 CET", "no time of a known form"),
        ("5 jan 24, 20:45:23 CET", "no time of a known form"),
        ("5 jan 2999, 20:45:23 CET", "not between 1980 and now"),
        ("5 jan 1970, 20:45:23 CET", "not between 1980 and now"),
        ("Watched at 8:33 AM", "no time of a known form"),
        ("", "no time of a known form"),
        ("9" * 5_000, "no time of a known form"),
    ],
)
def test_what_a_page_does_not_show_is_refused(written: str, why: str) -> None:
    texts = written.split("|")
    for text in texts:
        moment, reason = PageTimes(texts).read(text)
        assert moment is None
        assert why in reason


@pytest.mark.parametrize(
    ("written", "zone", "moment"),
    [
        ("Jan 5, 2024, 1:45:23 PM", "America/Chicago", MOMENT),
        ("Jan 5, 2024, 1:45:23 PM CST", "America/Chicago", MOMENT),
        ("Jan 6, 2024, 3:45:23 AM CST", "Asia/Taipei", MOMENT),
        ("Jan 5, 2024, 8:45:23 PM CET", "Asia/Taipei", MOMENT),
        ("Nov 3, 2024, 1:30:00 AM", "America/Chicago", None),
        ("Mar 10, 2024, 2:30:00 AM", "America/Chicago", None),
        ("Oct 27, 2024, 2:30:00 AM CEST", None, datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("Oct 27, 2024, 2:30:00 AM CET", None, datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_zone_that_is_said_fills_in_what_the_page_does_not_show(
    written: str, zone: str | None, moment: datetime | None
) -> None:
    assert PageTimes([written], zone).read(written)[0] == moment


def test_a_zone_that_is_none_is_an_error() -> None:
    for zone in ("Mars/Base", "../../etc/passwd", "a\0b"):
        with pytest.raises(InputError, match="a zone of the tz database"):
            PageTimes([], zone)


def test_beginnings_of_months_are_of_one_month_in_each_language() -> None:
    for language, beginnings in MONTHS.items():
        months = beginnings.split()
        assert len(months) == 12, language
        for number, month in enumerate(months, 1):
            for word in month.split("/"):
                assert [n for n, other in enumerate(months, 1) if word.startswith(tuple(other.split("/")))] == [number]
    assert months_of(["márc", "okt"]) == {"márc": 3, "okt": 10}


def test_years_of_a_page_are_read_in_one_go() -> None:
    start = datetime(2015, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(hours=7 * number) for number in range(3_000)]
    texts = [f"{moment + timedelta(hours=5.5):%b %d, %Y, %I:%M:%S %p IST}" for moment in moments]
    times = PageTimes(texts)
    assert [times.read(text)[0] for text in texts] == moments
