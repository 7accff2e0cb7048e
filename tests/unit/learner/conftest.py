from model_fixtures import clock, registry, store

__all__ = ["clock", "registry", "store"]
