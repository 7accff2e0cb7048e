"""What matters of import and export is tried over both databases."""

from store_fixtures import address, clock, open_store, postgres, sqlite_template

__all__ = ["address", "clock", "open_store", "postgres", "sqlite_template"]
