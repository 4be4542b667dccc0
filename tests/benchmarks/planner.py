#!/usr/bin/env python3
"""The planner against this machine: calibrated, and compared with runs of layouts that calibration has not seen.

    tests/benchmarks/planner.py [--rounds 5] [--steps 12] [--only data,tensor-mpi] [--uniscale PROGRAM] [--write FILE.md]

Each round calibrates once and trains every layout once, so that a drift of the machine meets both; a layout's error is the median of the predictions over the median
of the measurements. Fails where a step is predicted more than 5% off, or a peak of memory below what was measured or more than 10% above it. --write replaces what
stands between '<!-- machine -->' and '<!-- end -->' in a page. Needs a built `uniscale` (scripts/uniscale builds it).
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from pages import Page

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
TIME, MEMORY = 0.05, 0.10

# name: (ranks, under MPI, settings)
SMALL = "model.layers=4 model.hidden=320 model.heads=4 model.context=128 batch.global=8 batch.micro=4"
LAYOUTS = {
    "one": (1, False, SMALL),
    "wide": (1, False, "model.layers=2 model.hidden=640 model.heads=5 model.context=128 batch.global=4 batch.micro=2"),
    "long": (1, False, "model.layers=3 model.hidden=256 model.heads=4 model.context=768 batch.global=2 batch.micro=1"),
    "micro": (1, False, f"{SMALL} batch.micro=1"),
    "recomputed": (1, False, f"{SMALL} parallel.recompute=block"),
    "data": (2, False, f"{SMALL} parallel.data=2"),
    "zero-1": (2, False, f"{SMALL} parallel.data=2 parallel.zero.stage=1"),
    "zero-3": (2, False, f"{SMALL} parallel.data=2 parallel.zero.stage=3"),
    "tensor": (2, False, f"{SMALL} parallel.tensor=2"),
    "pipeline": (2, False, f"{SMALL} parallel.pipeline=2 batch.micro=1"),
    "data-mpi": (2, True, f"{SMALL} parallel.data=2"),
    "zero-1-mpi": (2, True, f"{SMALL} parallel.data=2 parallel.zero.stage=1"),
    "tensor-mpi": (2, True, f"{SMALL} parallel.tensor=2"),
    "pipeline-mpi": (2, True, f"{SMALL} parallel.pipeline=2 batch.micro=1"),
}
RUN = """
name: planned
data: { sources: [{ name: text, domain: text, shards: [ tokens/text.train ] }] }
model: { vocabulary: 8192 }
train: { threads: 1 }
logging: { peak_flops: 1G, tensor_board: false }
"""


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--uniscale", type=pathlib.Path, default=UNISCALE, help="the program that is measured")
    parser.add_argument("--only", default=",".join(LAYOUTS), help="names of layouts, separated by commas")
    parser.add_argument("--write", help="page whose table is replaced")
    return parser.parse_args()


def uniscale(folder, *words):
    done = subprocess.run([str(ARGUMENTS.uniscale), *(str(word) for word in words)], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"uniscale {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def make_data(folder):
    """Text enough for the runs; what it says does not matter to their speed."""
    (folder / "raw").mkdir()
    for number in range(200):
        lines = (f"Text {number} has {(number * line) % 97} words in line {line} and {(number + line) % 89} in the next." for line in range(200))
        (folder / f"raw/{number}.txt").write_text("\n".join(lines))
    uniscale(folder, "data", "import", "raw", "--domain", "text", "--out", "store")
    uniscale(folder, "tokenizer", "train", "store", "--vocabulary", "300", "--out", "t.model", "--threads", "1")
    uniscale(folder, "data", "tokenize", "store", "--tokenizer", "t.model", "--out", "tokens", "--workers", "1")
    (folder / "run.yaml").write_text(RUN)


def measure(folder, name, steps, cluster):
    """One run of a layout, compared: part to (predicted, measured)."""
    ranks, under_mpi, settings = LAYOUTS[name]
    run = folder / "runs" / name
    words = ["launch", "run.yaml", "-n", ranks] if under_mpi else ["train", "run.yaml", "--ranks", ranks]
    for setting in [*settings.split(), f"train.steps={steps}", f"run_directory={run}"]:
        words += ["--set", setting]
    uniscale(folder, *words)
    compared = json.loads(uniscale(folder, "plan", "compare", run, "--cluster", cluster, "--json"))
    subprocess.run(["rm", "-rf", str(run)], check=True)
    return {part["part"].split(",")[0]: (part["predicted"], part["seen"]) for part in compared["parts"]}


def table(results):
    rows = ["| layout | step predicted, ms | measured (rounds) | error | peak memory predicted, MiB | measured | error |", "|---|---|---|---|---|---|---|"]
    failed = []
    for name, rounds in results.items():
        predicted, seen = (statistics.median(run["step"][side] for run in rounds) for side in (0, 1))
        low, high = (bound(run["step"][1] for run in rounds) for bound in (min, max))
        planned = statistics.median(run["peak memory"][0] for run in rounds)
        peak = max(run["peak memory"][1] for run in rounds)
        time, memory = predicted / seen - 1, planned / peak - 1
        rows.append(f"| {name} | {predicted:.1f} | {seen:.1f} ({low:.1f} to {high:.1f}) | {time:+.1%} | {planned:.0f} | {peak:.0f} | {memory:+.1%} |")
        if abs(time) > TIME:
            failed.append(f"{name}: step {time:+.1%}")
        if not 0 <= memory <= MEMORY:
            failed.append(f"{name}: memory {memory:+.1%}")
    return "\n".join(rows), failed


def main():
    arguments = ARGUMENTS
    names = arguments.only.split(",")
    results = {name: [] for name in names}
    load = os.getloadavg()[0]
    page = Page(arguments.write, begin="<!-- machine -->")
    with tempfile.TemporaryDirectory(prefix="uniscale-planner-") as place:
        folder = pathlib.Path(place)
        make_data(folder)
        for number in range(arguments.rounds):
            uniscale(folder, "plan", "calibrate", "--rounds", 1, "--out", f"round{number}.yaml")
            for name in names:
                results[name].append(measure(folder, name, arguments.steps, f"round{number}.yaml"))
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
    text, failed = table(results)
    text = f"{arguments.rounds} rounds, {datetime.date.today()}, load {load:.0f} at the start.\n\n{text}"
    print(text)
    page.fill(text)
    for line in failed:
        print(line, file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    ARGUMENTS = parse()
    main()
