"""The documents; `python -m docs.reference` writes the generated ones."""
