#!/usr/bin/env python3
"""Steps of models whose widths, heads, batches and contexts are nobody's benchmark: the share of the peak that each reaches, and the worst beside its neighbours.

    tests/benchmarks/shapes.py [--precision bf16,fp32] [--steps 3] [--write FILE.md]

Each row varies one thing of a Llama of four layers of 512. A cliff is a point below 0.7 of the better of its neighbours in its row's order; fails where there is one.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

from pages import Page
from programs import output_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
CLIFF = 0.7
BASE = {"layers": 4, "hidden": 512, "heads": 8, "ffn": 1376, "vocabulary": 4096, "context": 256, "micro": 8}
ROWS = {
    "width": ("hidden", (192, 256, 320, 384, 456, 512, 520, 640, 768, 776, 1024, 1280)),
    "heads of 512": ("heads", (4, 8, 16, 32)),
    "feed-forward": ("ffn", (512, 1000, 1024, 1365, 1366, 1376, 2048)),
    "sequences": ("micro", (1, 2, 3, 4, 7, 8, 16, 32)),
    "context": ("context", (64, 100, 128, 250, 256, 512, 1000, 1024, 2048)),
    "vocabulary": ("vocabulary", (1000, 4096, 5001, 8192, 32000)),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", default="bf16,fp32")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--write", help="page whose table is replaced")
    return parser.parse_args()


def share(config, shape, precision, steps):
    words = [f"model.{name}={value}" for name, value in shape.items() if name != "micro"]
    words += [f"batch.micro={shape['micro']}", f"batch.global={shape['micro']}", f"train.precision={precision}"]
    command = [UNISCALE, "benchmark", "step", config, "--steps", steps, "--json", *(part for word in words for part in ("--set", word))]
    return json.loads(output_of(command))["peak_share"]


def shape_of(name, value):
    shape = BASE | {name: value}
    if name == "hidden":
        # Heads of about 64: the same number of them as in most models of that width.
        heads = max(1, round(value / 64))
        while value % heads or value // heads % 2:
            heads -= 1
        shape |= {"heads": heads, "ffn": value * 8 // 3}
    if name == "context":
        shape["micro"] = max(1, 2048 // value)
    return shape


def main():
    arguments = parse()
    page = Page(arguments.write)
    rows, cliffs = ["| | | share of the peak |", "|---|---|---|"], []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="uniscale-shapes-") as folder:
        config = pathlib.Path(folder) / "shapes.yaml"
        config.write_text("name: shapes\ntrain: { steps: 20, threads: 2 }\n")
        for precision in arguments.precision.split(","):
            for row, (name, values) in ROWS.items():
                shares = [share(config, shape_of(name, value), precision, arguments.steps) for value in values]
                cells = ", ".join(f"{value}: {reached:.0%}" for value, reached in zip(values, shares))
                rows.append(f"| {row} | {precision} | {cells} |")
                print(rows[-1], file=sys.stderr)
                for i, reached in enumerate(shares):
                    beside = max(shares[max(0, i - 1) : i] + shares[i + 1 : i + 2])
                    if reached < CLIFF * beside:
                        cliffs.append(f"{row} {values[i]} in {precision}: {reached:.0%} beside {beside:.0%}")
    text = f"Load {load:.1f} before the first.\n\n" + "\n".join(rows)
    print(text)
    page.fill(text)
    for cliff in cliffs:
        print(cliff, file=sys.stderr)
    sys.exit(1 if cliffs else 0)


if __name__ == "__main__":
    main()
