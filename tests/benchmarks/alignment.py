#!/usr/bin/env python3
"""Fine-tuning and reward training beside PyTorch on the same shapes: medians and ratios of alternating rounds.

    tests/benchmarks/alignment.py [--objective sft,reward] [--precision fp32,bf16] [--rounds 3] [--inside "chroot DIR"] [--write FILE.md]

A Llama of six layers of 384 learns from 16 sequences of 256 tokens a step. Uniscale draws packs of several samples that do not see each other, as its data has
them, and comparisons within a pack; PyTorch (pytorch_alignment.py, the fastest of its ways) gets whole sequences without padding. --inside runs
PyTorch where it is installed, for example in a chroot of a newer Debian that sees this checkout under the same path. What draws answers is tests/benchmarks/inference.py's.
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import sys
import tempfile

from pages import Page
from programs import output_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
PEER = ROOT / "tests/benchmarks/pytorch_alignment.py"
CONFIG = """
name: alignment
model: { layers: 6, hidden: 384, heads: 6, ffn: 1024, vocabulary: 8192, context: 256 }
batch: { global: 16, micro: 16 }
optimizer: { lr: 1.0e-4 }
train: { steps: 20 }
"""


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objective", default="sft,reward")
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--inside", default="", help="what is written before the peer's command")
    parser.add_argument("--write", help="page whose table is replaced")
    return parser.parse_args()


def ours(arguments, config, objective, precision):
    settings = [f"objective={objective}", f"train.precision={precision}", f"train.threads={arguments.threads}"]
    words = [word for setting in settings for word in ("--set", setting)]
    return json.loads(output_of([UNISCALE, "benchmark", "step", config, "--steps", arguments.steps, "--json", *words]))["tokens_per_second"]


def theirs(arguments, objective, precision):
    command = ["python3", PEER, objective, "--precision", precision, "--steps", arguments.steps, "--threads", arguments.threads]
    found = json.loads(output_of([*shlex.split(arguments.inside), *command]))
    return found["tokens_per_second"], found["best"]


def main():
    arguments = parse()
    page = Page(arguments.write)
    rows = ["| | Uniscale, tokens/s | PyTorch, tokens/s | | ratio (least to most) |", "|---|---:|---:|---|---:|"]
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="uniscale-alignment-") as folder:
        config = pathlib.Path(folder) / "alignment.yaml"
        config.write_text(CONFIG)
        for objective in arguments.objective.split(","):
            for precision in arguments.precision.split(","):
                pairs = [(ours(arguments, config, objective, precision), *theirs(arguments, objective, precision)) for _ in range(arguments.rounds)]
                ratios = [mine / peer for mine, peer, _ in pairs]
                mine, peer = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
                rows.append(f"| {objective}, {precision} | {mine:,.0f} | {peer:,.0f} | {pairs[0][2]} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")
                print(rows[-1], file=sys.stderr)
    text = f"Load {begin:.1f} before the first round, {os.getloadavg()[0]:.1f} after the last.\n\n" + "\n".join(rows)
    print(text)
    page.fill(text)


if __name__ == "__main__":
    main()
