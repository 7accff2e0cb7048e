"""`vigie.toml`, the environment and flags, as frozen settings."""

from vigie.settings.load import FILE_NAME, load, parse, place
from vigie.settings.models import (
    DimensionSettings,
    LabelSettings,
    LearningSettings,
    PoolSettings,
    ProjectSettings,
    QualitySettings,
    RegistrySettings,
    RoutingSettings,
    RulesSettings,
    Settings,
    SinkSettings,
    SourceSettings,
    StoreSettings,
    StreamSettings,
    WebSettings,
)

__all__ = [
    "FILE_NAME",
    "DimensionSettings",
    "LabelSettings",
    "LearningSettings",
    "PoolSettings",
    "ProjectSettings",
    "QualitySettings",
    "RegistrySettings",
    "RoutingSettings",
    "RulesSettings",
    "Settings",
    "SinkSettings",
    "SourceSettings",
    "StoreSettings",
    "StreamSettings",
    "WebSettings",
    "load",
    "parse",
    "place",
]
