"""What tests of the pages share."""

from page_fixtures import browser, running, stage, visitor

__all__ = ["browser", "running", "stage", "visitor"]
