from pathlib import Path

import pytest

from vigie.errors import SettingsError


def test_only_one_when_there_is_another_then_it_is_refused(tmp_path: Path) -> None:
    from vigie.cli.up import only_one

    with only_one(tmp_path), pytest.raises(SettingsError, match="runs already"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_only_one_when_the_project_cannot_be_written_then_says_so(tmp_path: Path) -> None:
    from vigie.cli.up import only_one

    (tmp_path / ".vigie").write_text("no folder")

    with (
        pytest.raises(SettingsError, match=r"\.vigie.up\.lock cannot be kept: .* must be writable"),
        only_one(tmp_path),
    ):
        pass
