"""Measurements: what they print are ratios against a reference of the same run, or accuracies on named data."""
