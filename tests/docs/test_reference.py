import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from docs.reference.__main__ import FOLDER, pages  # noqa: E402 — the documents lie beside the package, not in it

DOCUMENTS = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "metrics.md", "errors.md"])
def test_reference_when_written_anew_then_it_is_what_is_committed(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run: make docs"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document_when_it_links_to_a_file_then_the_file_is_there(document):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


def test_glossary_when_a_setting_has_a_section_then_its_word_is_explained():
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    words = ("source", "sink", "dimension", "rule", "route", "pool", "query strategy", "project", "inbox", "lease")
    assert [word for word in words if f"**{word}" not in glossary and f", {word}**" not in glossary] == []
