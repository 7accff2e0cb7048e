"""Runs every measurement, one after the other: `python -m benchmarks`."""

import sys

from benchmarks import audit_coverage, label_efficiency, label_page, pace, stream, whole_way

if __name__ == "__main__":
    sys.exit(max(part.main([]) for part in (stream, whole_way, label_page, pace, audit_coverage, label_efficiency)))
