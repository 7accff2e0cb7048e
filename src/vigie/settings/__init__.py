"""`vigie.toml`, the environment and flags, as frozen settings."""

from vigie.settings.load import load, parse
from vigie.settings.models import (
    DimensionSettings,
    LabelSettings,
    LearningSettings,
    PoolSettings,
    ProjectSettings,
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
    "DimensionSettings",
    "LabelSettings",
    "LearningSettings",
    "PoolSettings",
    "ProjectSettings",
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
]
