from collections.abc import Iterator

import orjson
import pytest

from loki_server import APP, QUERY, LokiServer
from vigie.errors import SettingsError, UnavailableError
from vigie.loki import Access
from vigie.sources.loki_pages import Page, Pages

OTHER = {"app": "shop", "pod": "b"}


@pytest.fixture
def make(loki_server: LokiServer) -> Iterator:
    made: list[Pages] = []

    def pages(page_entries: int = 5000, query: str = QUERY, **access: str) -> Pages:
        made.append(Pages(Access(owner="sources.in", url=loki_server.url, **access), query, page_entries=page_entries))
        return made[-1]

    yield pages
    for pages_ in made:
        pages_.close()
        pages_.close()


def lines(page: Page) -> list[str]:
    return [orjson.loads(entry.payload)["message"] for entry in page.entries]


def test_read_when_there_are_several_streams_then_entries_come_in_the_order_of_time(loki_server, make) -> None:
    loki_server.put((5, "c"), (1, "a"))
    loki_server.put((3, "b"), (7, "d"), labels=OTHER)
    page = make().read(1, 100)
    assert lines(page) == ["a", "b", "c", "d"]
    assert (page.full, page.last) == (False, 7)


def test_read_when_asked_for_a_range_then_the_start_is_in_it_and_the_end_is_not(loki_server, make) -> None:
    loki_server.put((1, "a"), (2, "b"), (3, "c"))
    assert lines(make().read(1, 3)) == ["a", "b"]


def test_read_when_the_page_is_full_then_says_so_and_where_to_go_on(loki_server, make) -> None:
    loki_server.put((1, "a"), (2, "b"), (3, "c"))
    page = make(page_entries=2).read(1, 100)
    assert (lines(page), page.full, page.last) == (["a", "b"], True, 2)


def test_read_when_one_nanosecond_fills_the_page_then_more_is_asked_for(loki_server, make) -> None:
    loki_server.put(*[(7, f"line {n}") for n in range(45)], (8, "next"))
    page = make(page_entries=10).read(7, 100)
    assert len(set(lines(page))) == 46
    assert [int(given["limit"]) for _, given in loki_server.requests] == [10, 20, 40, 80]


def test_read_when_the_limit_of_the_server_lies_between_then_it_is_used(loki_server, make) -> None:
    loki_server.max_entries = 50
    loki_server.put(*[(7, f"line {n}") for n in range(45)])
    page = make(page_entries=40).read(7, 100)
    assert (len(page.entries), page.full) == (45, False)


def test_read_when_exactly_one_page_has_one_nanosecond_and_nothing_follows_then_that_is_all(loki_server, make) -> None:
    loki_server.put(*[(7, f"line {n}") for n in range(10)])
    page = make(page_entries=10).read(7, 100)
    assert (len(page.entries), page.full) == (10, False)


def test_read_when_one_nanosecond_holds_more_than_the_server_gives_then_stops_and_says_why(loki_server, make) -> None:
    loki_server.max_entries = 40
    loki_server.put(*[(7, f"line {n}") for n in range(45)])
    with pytest.raises(SettingsError, match=r"nanosecond 7 holds more than the 40 entries .* raise max_entries_limit"):
        make(page_entries=40).read(7, 100)


def test_read_when_the_server_allows_fewer_then_asks_for_fewer_from_then_on(loki_server, make) -> None:
    loki_server.max_entries = 3
    loki_server.put(*[(n, str(n)) for n in range(10)])
    pages = make()
    assert lines(pages.read(0, 100)) == ["0", "1", "2"]
    pages.read(2, 100)
    assert [int(given["limit"]) for _, given in loki_server.requests] == [5000, 3, 3]


def test_read_when_entries_have_metadata_then_stream_labels_stay_apart(loki_server, make) -> None:
    loki_server.put((17, "a"), metadata={"trace_id": "4711"})
    [entry] = make().read(1, 100).entries
    assert orjson.loads(entry.payload) == {
        "message": "a",
        "loki": {"timestamp": "17", "labels": APP, "metadata": {"trace_id": "4711"}},
    }


def test_read_when_entries_differ_in_anything_then_their_digests_differ_and_are_the_same_each_time(
    loki_server, make
) -> None:
    loki_server.put((1, "a"), (2, "a"), (2, "b"), (12, ""), (1, "2"))
    loki_server.put((2, "a"), labels=OTHER)
    first, again = make().read(1, 100).entries, make(page_entries=6).read(1, 100).entries
    assert len({entry.digest for entry in first}) == 6
    assert first == again


def test_read_when_vigie_wrote_a_line_then_it_is_left_out_but_reading_goes_on_behind_it(loki_server, make) -> None:
    loki_server.put((1, "ours"), (2, "ours, too"), labels={**APP, "labelled_by": "vigie"})
    page = make(page_entries=2).read(1, 100)
    assert (page.entries, page.full, page.last) == ([], True, 2)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_read_when_the_server_is_busy_then_waits_as_long_as_it_asks_for(loki_server, make, status: int) -> None:
    loki_server.failures = [(status, {"Retry-After": "7"})]
    with pytest.raises(UnavailableError, match=f"answers {status}") as caught:
        make().read(1, 100)
    assert caught.value.retry_after_seconds == 7


def test_read_when_nobody_answers_then_it_is_unavailable() -> None:
    pages = Pages(Access(owner="sources.in", url="http://127.0.0.1:1"), QUERY, page_entries=10)
    with pytest.raises(UnavailableError, match="does not answer"):
        pages.read(1, 2)
    pages.close()


def test_read_when_the_query_is_wrong_then_stops_with_what_loki_says(make) -> None:
    with pytest.raises(SettingsError, match=r"refuses the query '{app=': parse error at line 1"):
        make(query="{app=").read(1, 100)


def test_read_when_the_tenant_is_missing_then_stops_and_names_the_settings(loki_server, make) -> None:
    loki_server.headers = {"X-Scope-OrgID": "shop"}
    with pytest.raises(SettingsError, match="answers 401: no org id; check user, password, token and tenant"):
        make().read(1, 100)
    assert make(tenant="shop").read(1, 100).entries == []


@pytest.mark.parametrize(
    ("access", "header"),
    [({"user": "7", "password": "pass"}, "Basic NzpwYXNz"), ({"token": "secret"}, "Bearer secret")],
)
def test_read_when_credentials_are_given_then_they_are_sent(loki_server, make, access, header) -> None:
    loki_server.headers = {"Authorization": header}
    loki_server.put((1, "a"))
    assert lines(make(**access).read(1, 100)) == ["a"]
