"""Runs every measurement, one after the other: `python -m benchmarks`."""

import sys

from benchmarks import whole_way

if __name__ == "__main__":
    sys.exit(whole_way.main([]))
