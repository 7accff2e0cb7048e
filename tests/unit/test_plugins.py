import subprocess
import sys

import pytest

from vigie import plugins
from vigie.errors import UnknownPartError


def test_load_when_no_part_has_the_name_then_the_installed_ones_are_listed():
    with pytest.raises(UnknownPartError, match=r"'carrier-pigeon'; installed are: .*kafka"):
        plugins.load("sources", "carrier-pigeon")


@pytest.mark.parametrize("family", plugins.FAMILIES)
def test_names_when_asked_then_every_named_part_can_be_loaded(family):
    assert plugins.names(family)
    for name in plugins.names(family):
        assert callable(plugins.load(family, name))


def test_import_vigie_when_nothing_else_is_loaded_then_no_heavy_package_comes_along():
    heavy = "{'torch', 'keras', 'jax', 'transformers', 'xgboost', 'sklearn', 'mlflow', 'nicegui', 'polars', 'numpy'}"
    program = f"import sys, vigie, vigie.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"
