"""Every test of the store runs over both databases."""

from store_fixtures import address, clock, new_address, open_store, postgres, sqlite_template, store

__all__ = ["address", "clock", "new_address", "open_store", "postgres", "sqlite_template", "store"]
