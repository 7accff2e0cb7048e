"""Answers in and out: our own tables, and the files of Label Studio, Prodigy, doccano and Argilla."""

from vigie.exchange.answers import Answer, Status
from vigie.exchange.formats import FORMATS, Format, format_named, format_of
from vigie.exchange.incoming import Expected, Findings, bring_in, examine
from vigie.exchange.outgoing import Left, dimensions_of, given, sift
from vigie.exchange.questions import Reading
from vigie.exchange.templates import TEMPLATES

__all__ = [
    "FORMATS",
    "TEMPLATES",
    "Answer",
    "Expected",
    "Findings",
    "Format",
    "Left",
    "Reading",
    "Status",
    "bring_in",
    "dimensions_of",
    "examine",
    "format_named",
    "format_of",
    "given",
    "sift",
]
