"""Numbers with the word for what they count."""

ANSWERS = "answer", "answers"
GROUPS = "group", "groups"
LABELS = "label", "labels"
MESSAGES = "message", "messages"
QUESTIONS = "question", "questions"
ROWS = "row", "rows"


def counted(n: int, one: str, many: str) -> str:
    """Return a number and what it counts.

    Parameters
    ----------
    n
        How many.
    one, many
        The words for one of them, and for another number.

    Examples
    --------
    >>> counted(1, "row", "rows"), counted(1200, "row", "rows")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {one if n == 1 else many}"
