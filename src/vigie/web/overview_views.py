"""What the overview shows besides charts, as plain values with every text in the visitor's language."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from vigie.labels import Dimension, Route
from vigie.learner.measures import metric_name
from vigie.web.figures import ROUTE_COLOURS, route_names
from vigie.web.formats import DASH, count, date_and_time, estimated, percent, rate
from vigie.web.words import Words

Tile = tuple[str, str, str]


def tiles(status: Mapping[str, Any], words: Words) -> list[Tile]:
    """Return the numbers at the top: what, how much, and a remark."""
    messages, questions, language = status["messages"], status["questions"], words.language
    sure = _share(messages["by_route"], Route.AUTO)
    return [
        (words.gettext("Messages"), count(messages["total"], language), _dead_letters(messages["dead_letters"], words)),
        (
            words.gettext("Per second"),
            rate(messages["per_second"], language),
            words.gettext("over the last half minute"),
        ),
        (
            words.gettext("Sure enough"),
            DASH if sure is None else percent(sure, language),
            words.gettext("of the messages, without a person"),
        ),
        (
            words.gettext("Questions waiting"),
            count(questions.get("open", 0), language),
            words.ngettext("{n} with a person now", "{n} with people now", questions.get("leased", 0)),
        ),
        (
            words.gettext("Answers"),
            count(status["answers"], language),
            words.ngettext("of {n} kind of message", "of {n} kinds of messages", status["groups"]["total"]),
        ),
    ]


def routes(by_route: Mapping[str, int], words: Words) -> list[dict[str, Any]]:
    """Return the share of each route since the beginning; empty before the first message."""
    return [
        {
            "name": name,
            "share": share,
            "text": percent(share, words.language),
            "count": count(by_route.get(route, 0), words.language),
            "colour": ROUTE_COLOURS[Route(route)],
        }
        for route, name in route_names(words).items()
        if (share := _share(by_route, route)) is not None
    ]


def versions(
    status: Mapping[str, Any], dimensions: Sequence[Dimension], *, zone: ZoneInfo, words: Words
) -> list[dict[str, Any]]:
    """Return the model versions, newest first, each with its accuracy by dimension as it was when it was trained."""
    return [
        {
            "version": f"v{version['version']}",
            "champion": _is_champion(version, status["model"]["champion"]),
            "created": _moment(version.get("created_at"), zone, words),
            "accuracy": [_version_accuracy(version.get("metrics") or {}, one.name, words) for one in dimensions],
        }
        for version in sorted(status["model"]["versions"], key=lambda one: -int(one["version"]))
    ]


def roles(status: Mapping[str, Any], zone: ZoneInfo, words: Words) -> list[dict[str, str]]:
    """Return the programs that are alive."""
    return [
        {
            "role": role["role"],
            "instance": str(role["instance"]),
            "since": words.gettext("since {moment}", moment=_moment(role["started_at"], zone, words)),
            "doing": _doing(role.get("details") or {}, words),
        }
        for role in status["roles"]
    ]


def _doing(details: Mapping[str, Any], words: Words) -> str:
    """Return how far the learner is with encoding the pool; nothing when it is done, or there is nothing to encode."""
    done, total = details.get("embedded", 0), details.get("to_embed", 0)
    if done >= total:
        return ""
    shown = {"done": count(done, words.language), "total": count(total, words.language)}
    return words.gettext("{done} of {total} kinds of messages encoded", **shown)


def _share(by_route: Mapping[str, int], route: str) -> float | None:
    total = sum(by_route.values())
    return by_route.get(route, 0) / total if total else None


def _dead_letters(n: int, words: Words) -> str:
    return words.ngettext("{n} dead letter", "{n} dead letters", n)


def _is_champion(version: Mapping[str, Any], champion: str | None) -> bool:
    return str(version["version"]) == str(champion)


def _moment(moment: str | None, zone: ZoneInfo, words: Words) -> str:
    if not moment:
        return ""
    return date_and_time(datetime.fromisoformat(moment).astimezone(zone), words.language)


def _version_accuracy(metrics: Mapping[str, float], dimension: str, words: Words) -> dict[str, str]:
    value, low, high = (
        metrics.get(metric_name(measure, dimension)) for measure in ("accuracy", "accuracy_low", "accuracy_high")
    )
    if value is None:
        return {"value": DASH, "interval": ""}
    if low is None or high is None:
        return {"value": percent(value, words.language), "interval": ""}
    shown, between = estimated(value, low, high, words.language)
    return {"value": shown, "interval": between}
