from zoneinfo import ZoneInfo

import pytest

from vigie.web.overview_views import roles, routes, tiles, versions
from vigie.web.words import words_in
from web_fakes import FakeServices

EN, FR = words_in("en"), words_in("fr")
UTC = ZoneInfo("UTC")


def test_tiles_when_nothing_came_yet_then_the_share_is_a_dash() -> None:
    values = {name: value for name, value, _ in tiles(FakeServices(()).status(), EN)}

    assert values == {
        "Messages": "0",
        "Per second": "0",
        "Sure enough": "\N{EN DASH}",
        "Questions waiting": "0",
        "Answers": "0",
    }


def test_tiles_when_messages_flow_then_numbers_are_the_languages_own() -> None:
    status = FakeServices(answers=37).status()
    status["messages"] |= {"total": 2_184_220, "by_route": {"auto": 82, "review": 18}, "dead_letters": 1}

    found = tiles(status, FR)

    assert found[0] == ("Messages", "2\u202f184\u202f220", "1 message illisible")
    assert found[2][1] == "82\xa0%"


def test_routes_when_messages_came_then_shares_sum_to_one() -> None:
    found = routes({"auto": 6, "rule": 3, "review": 1}, EN)

    assert [row["text"] for row in found] == ["60%", "30%", "10%"]
    assert sum(row["share"] for row in found) == pytest.approx(1)


def test_routes_when_no_message_came_then_there_are_none() -> None:
    assert routes({}, EN) == []


def test_versions_when_there_are_several_then_the_newest_is_first_and_the_champion_marked() -> None:
    services = FakeServices(answers=107)

    found = versions(services.status(), services.dimensions, zone=UTC, words=EN)

    assert [row["version"] for row in found][:2] == ["v10", "v9"]
    assert [row["champion"] for row in found][:2] == [True, False]
    assert found[0]["accuracy"][0]["value"].endswith("%")


def test_versions_when_a_version_was_not_measured_then_it_has_a_dash() -> None:
    services = FakeServices(answers=17)
    status = services.status()
    status["model"]["versions"][0] |= {"metrics": {}, "created_at": None}

    row = versions(status, services.dimensions, zone=UTC, words=EN)[0]

    assert row["accuracy"][0] == {"value": "\N{EN DASH}", "interval": ""}
    assert row["created"] == ""


def test_roles_when_alive_then_each_says_since_when() -> None:
    status = {"roles": [{"role": "stream", "instance": "quay-1", "started_at": "2026-11-21T09:05:00+00:00"}]}

    assert roles(status, ZoneInfo("Europe/Paris"), EN) == [
        {"role": "stream", "instance": "quay-1", "since": "since 21 Nov 10:05", "doing": ""}
    ]


def test_roles_when_the_learner_encodes_then_it_says_how_far_it_is_until_it_is_done() -> None:
    role = {"role": "learner", "instance": "quay-1", "started_at": "2026-11-21T09:05:00+00:00"}
    details = {"embedded": 1200, "to_embed": 5600}
    encoding = {"roles": [role | {"details": details}, role | {"details": {"embedded": 5600, "to_embed": 5600}}]}

    said = [row["doing"] for row in roles(encoding, ZoneInfo("Europe/Paris"), EN)]
    assert said == ["1,200 of 5,600 kinds of messages encoded", ""]


@pytest.mark.parametrize("name", ["severity", "état/jour", "a..b", ".", "a b", "l'été: 5 %"])
def test_versions_when_a_dimension_has_an_odd_name_then_what_the_learner_measured_is_found(name: str) -> None:
    from builders import a_dimension
    from vigie.learner.measures import metric_name

    status = FakeServices(answers=17).status()
    status["model"]["versions"][0] |= {"metrics": {metric_name("accuracy", name): 0.5}}

    (row,) = [
        row
        for row in versions(status, [a_dimension(name)], zone=UTC, words=EN)
        if row["version"] == f"v{status['model']['versions'][0]['version']}"
    ]

    assert row["accuracy"] == [{"value": "50%", "interval": ""}]
