from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from vigie.settings import ProjectSettings
from vigie.web.visit import visit

UTC = ZoneInfo("UTC")


def test_visit_when_it_is_the_first_then_settings_and_system_decide() -> None:
    seen_by = visit({}, {"accept-language": "en"}, ProjectSettings(language="fr"))

    assert (seen_by.words.language, seen_by.theme, seen_by.zone) == ("fr", "auto", UTC)


def test_visit_when_the_settings_do_not_name_a_language_then_the_browser_does() -> None:
    assert visit({}, {"accept-language": "fr"}, ProjectSettings()).words.language == "fr"


def test_visit_when_cookies_were_kept_then_they_decide() -> None:
    cookies = {"vigie_language": "fr", "vigie_theme": "dark", "vigie_zone": "Europe%2FParis"}

    seen_by = visit(cookies, {}, ProjectSettings(language="en"))

    assert (seen_by.words.language, seen_by.theme, seen_by.zone.key) == ("fr", "dark", "Europe/Paris")


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc/passwd", "\x00", "%00"])
def test_visit_when_the_zone_is_nonsense_then_it_is_utc(zone: str) -> None:
    assert visit({"vigie_zone": zone}, {}, SimpleNamespace(model_fields_set=set())).zone == UTC


def test_visit_when_the_theme_is_nonsense_then_it_follows_the_system() -> None:
    assert visit({"vigie_theme": "'><script>"}, {}, ProjectSettings()).theme == "auto"
