#!/usr/bin/env python3
"""CPU seconds, wall time and peak memory of two builds of Uniscale in turn: import, tokenizing, training with a save, resume, load.

    scripts/corpus.sh small
    python3 tests/benchmarks/builds.py BEFORE AFTER [--rounds 5] [--mebibytes 100]

BEFORE and AFTER are checkouts whose command line is built (Release). What they read is the same: text files made of the small corpus, its
tokenizer, its shards. Prints a table for a page of docs/benchmarks: medians of the rounds, and the ratio after/before of the round's pairs.
"""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("UNISCALE_CORPUS", ROOT / "data" / "corpus-small"))


def texts(folder, mebibytes):
    """Text files of forty documents each, until there are as many bytes as asked for; no two alike."""
    documents = []
    for path in sorted(glob.glob(f"{CORPUS}/store/*/*.zst")):
        lines = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout.splitlines()
        documents += [json.loads(line)["text"] for line in lines]
    written, turn = 0, 0
    while written < mebibytes << 20:
        for at in range(0, len(documents), 40):
            data = ("\n\n".join(documents[at : at + 40]) + f"\n{turn}\n").encode()
            (folder / f"{turn}-{at}.txt").write_bytes(data)
            written += len(data)
            if written >= mebibytes << 20:
                break
        turn += 1


def run(checkout, arguments, log):
    """CPU seconds, wall seconds and peak bytes of a command of a build."""
    program = checkout / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
    with open(log, "w") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            [program, *map(str, arguments)], cwd=checkout, stdout=output, stderr=output, env={**os.environ, "UNISCALE_CORPUS": str(CORPUS)}
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    if status != 0:
        sys.exit(f"{program} {' '.join(map(str, arguments))} failed: {log}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss << 10


def commands(work, name):
    """What is measured, in an order in which each finds what it needs."""
    own = work / name
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    train = ["configs/quickstart.yaml", "--set", f"run_directory={own / 'run'}", "--set", "checkpoint.every=5"]
    return {
        "import": ["data", "import", work / "texts", "--domain", "books", "--out", own / "store"],
        "tokenize": ["data", "tokenize", own / "store", "--tokenizer", CORPUS / "tokenizer.model", "--out", own / "tokens"],
        "train 5 steps, save": ["train", *train, "--stop-after", "5"],
        "resume, 1 step": ["train", *train, "--resume", "--stop-after", "6"],
        "list the checkpoints": ["checkpoint", "list", own / "run"],
        "load and prove a checkpoint": ["checkpoint", "verify", own / "run"],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=100)
    options = parser.parse_args()
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "texts").mkdir()
        texts(work / "texts", options.mebibytes)
        for turn in range(options.rounds + 1):  # the first warms the files
            order = ["before", "after"] if turn % 2 else ["after", "before"]
            plans = {name: commands(work, name) for name in order}
            for what in plans["before"]:
                for name in order:
                    figures = run(getattr(options, name).resolve(), plans[name][what], work / "log")
                    if turn > 0:
                        measured.setdefault(what, {}).setdefault(name, []).append(figures)
    print("| | CPU s before | after | ratio (all rounds) | wall s before | after | ratio | peak MiB before | after |")
    print("|---|---|---|---|---|---|---|---|---|")
    for what, both in measured.items():
        cells = [what]
        for i in (0, 1):
            before, after = ([figures[i] for figures in both[name]] for name in ("before", "after"))
            ratios = [b / a for a, b in zip(before, after)]
            spread = f" ({min(ratios):.2f}–{max(ratios):.2f})" if i == 0 else ""
            cells += [f"{statistics.median(before):.2f}", f"{statistics.median(after):.2f}", f"**{statistics.median(ratios):.2f}**{spread}"]
        cells += [f"{statistics.median([figures[2] for figures in both[name]]) / 2**20:.0f}" for name in ("before", "after")]
        print(f"| {' | '.join(cells)} |")


main()
