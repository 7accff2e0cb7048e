"""From key press to next message, while a worker streams and models are trained: `python -m benchmarks.label_page`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from demo_run import STOPWATCH, answer, open_page, question, running_demo


def main(arguments: list[str] | None = None) -> int:
    """Answer questions of the demo by keyboard and print how long the next one took to show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder) / "project") as url, open_page(url) as page:
        question(page)
        page.evaluate(STOPWATCH)
        for _ in range(chosen.answers):
            answer(page)
        times = np.array(page.evaluate("window.times"))
        version = page.locator("[data-model]").get_attribute("data-model")
    p50, p95 = np.percentile(times, [50, 95])
    found = {"answers": len(times), "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "max_ms": round(times.max(), 1)}
    print(json.dumps({**found, "champion": version}, indent=None if chosen.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
