#!/usr/bin/env python3
"""Time of a step with every exporter on against none: runs in turn, medians of their steps.

    tests/benchmarks/exporters.py [--rounds 5] [--steps 120] [--uniscale PROGRAM]

On: Prometheus, scraped every second, OTLP every second to a collector that is not there, TensorBoard, a command for notices. Fails where the median of the rounds'
ratios is beyond 5%. Needs a built `uniscale` (scripts/uniscale builds it) and a machine that does nothing else.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT, BOUND, WARM_UP = 19466, 0.05, 20
RUN = """
model: { layers: 4, hidden: 128, heads: 4, context: 128 }
data: { tokenizer: t.model, sources: [{ name: docs, domain: docs, shards: [tokens/docs.train] }] }
batch: { global: 8 }
train: { threads: 1 }
logging: { every: 1000, tensor_board: false }
"""
EXPORTERS = [
    f"telemetry.prometheus={PORT}", "telemetry.otlp=http://127.0.0.1:9", "telemetry.otlp_every=1", "telemetry.notify.command=cat >/dev/null",
    "logging.tensor_board=true",
]


def uniscale(folder, *words):
    done = subprocess.run([str(ARGUMENTS.uniscale), *map(str, words)], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"uniscale {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")


def make_data(folder):
    (folder / "raw").mkdir()
    for page in (ROOT / "docs/reference").glob("*.md"):
        (folder / "raw" / page.name).write_bytes(page.read_bytes())
    uniscale(folder, "data", "import", "raw", "--domain", "docs", "--out", "store")
    uniscale(folder, "tokenizer", "train", "store", "--vocabulary", "600", "--out", "t.model", "--threads", "1")
    uniscale(folder, "data", "tokenize", "store", "--tokenizer", "t.model", "--out", "tokens", "--workers", "1")
    (folder / "run.yaml").write_text(RUN)


def scrape(over):
    """Asks for the page every second; returns how often it came."""
    pages = 0
    while not over.wait(1):
        try:
            urllib.request.urlopen(f"http://localhost:{PORT}/metrics", timeout=5).read()
            pages += 1
        except OSError:
            pass  # the run has not begun, or is over
    return pages


def median_step(folder, name, settings):
    """Median seconds of a run's steps after the first ones."""
    words = ["train", "run.yaml", "--ranks", "1", "--set", f"run_directory={name}", "--set", f"train.steps={ARGUMENTS.steps}"]
    for setting in settings:
        words += ["--set", setting]
    over, pages = threading.Event(), []
    thread = threading.Thread(target=lambda: pages.append(scrape(over)))
    if settings:
        thread.start()
    uniscale(folder, *words)
    over.set()
    if settings:
        thread.join()
        if pages[0] == 0:
            sys.exit("Not one page was scraped: the run is too short to say anything.")
    records = map(json.loads, (folder / name / "metrics.jsonl").read_text().splitlines())
    steps = [record["seconds"] for record in records if record["kind"] == "step"]
    return statistics.median(steps[WARM_UP:])


def main():
    ratios = []
    with tempfile.TemporaryDirectory(prefix="uniscale-exporters-") as place:
        folder = pathlib.Path(place)
        make_data(folder)
        for number in range(ARGUMENTS.rounds):
            # Either goes first as often as the other.
            order = [("none", []), ("all", EXPORTERS)][:: 1 if number % 2 == 0 else -1]
            seconds = {name: median_step(folder, f"{name}{number}", settings) for name, settings in order}
            ratios.append(seconds["all"] / seconds["none"])
            print(f"none {seconds['none'] * 1e3:.2f} ms, all {seconds['all'] * 1e3:.2f} ms: {ratios[-1] - 1:+.1%}")
    median = statistics.median(ratios) - 1
    print(f"median {median:+.1%} ({min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%})")
    sys.exit(1 if median > BOUND else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--uniscale", type=pathlib.Path, default=ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale", help="the program that is measured")
    ARGUMENTS = parser.parse_args()
    main()
