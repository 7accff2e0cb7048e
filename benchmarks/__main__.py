"""Runs every measurement, one after the other: `python -m benchmarks`."""

import sys

from benchmarks import label_page, whole_way

if __name__ == "__main__":
    sys.exit(max(whole_way.main([]), label_page.main([])))
