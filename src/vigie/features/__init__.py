"""Numbers from normalised texts."""
