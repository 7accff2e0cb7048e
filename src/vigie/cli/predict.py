"""`vigie predict`: labels for a file, as JSONL."""


def predict() -> None:
    """Predict."""
