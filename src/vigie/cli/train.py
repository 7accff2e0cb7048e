"""`vigie train`: one training, now."""


def train() -> None:
    """Train."""
