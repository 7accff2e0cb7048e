"""Every benchmark, one after the other: `python -m benchmarks`."""

import sys

from benchmarks import answers_saved, audit_coverage, best_choice, label_efficiency, label_page, pace, stream, whole_way

PARTS = (stream, whole_way, label_page, pace, audit_coverage, answers_saved, label_efficiency, best_choice)

if __name__ == "__main__":
    sys.exit(max(part.main([]) for part in PARTS))
