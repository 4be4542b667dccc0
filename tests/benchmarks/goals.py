#!/usr/bin/env python3
"""The goals of speed, measured: peers and Uniscale in turn, medians and ratios, as the table of docs/benchmarks/step_*.md.

    tests/benchmarks/goals.py [--rounds 7] [--steps 3] [--python "chroot DIR python3"] [--only a-bf16,b-bf16] [--write FILE.md]

Each round runs every program once, one after the other, so that a drift of the machine meets all of them; a program's figure is the median over
the rounds of its own medians. --write replaces what stands between '<!-- measured -->' and '<!-- end -->' in a page; without it
the table is printed. Needs a built `uniscale` (scripts/uniscale builds it) and, for the start-up row, the small corpus (scripts/corpus.sh).
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from pages import Page

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
PEER = ROOT / "tests/benchmarks/pytorch_peer.py"
LAYOUTS = {  # two ranks of one thread, the same global batch of configuration A
    "data": ["batch.micro=8"],
    "data, optimizer state sharded (ZeRO-1)": ["batch.micro=8", "parallel.zero.stage=1"],
    "ZeRO-3": ["batch.micro=8", "parallel.zero.stage=3"],
    "pipeline 1F1B, 8 microbatches": ["batch.micro=2", "parallel.pipeline=2"],
    "tensor": ["parallel.tensor=2"],
}
FP32_PEERS = {  # which of them is the best differs from processor to processor
    "written out": ["--no-compile"],
    "fused": ["--fused-attention", "--no-compile"],
    "fused, compiled": ["--fused-attention"],
}
FP32_GOALS = {"a": "1.3 ×", "b": "1.2 ×"}
LAYOUT_GOALS = {"data": (0.96, 0.93), "data, optimizer state sharded (ZeRO-1)": (0.96, 0.93), "ZeRO-3": (0.90, 0.76), "pipeline 1F1B, 8 microbatches": (0.88, 0.76), "tensor": (0.80, 0.60)}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="steps of a program in a round; peers as published make one")
    parser.add_argument("--python", default="/usr/bin/python3", help="the Python whose torch is the peer: a path, or a command like 'chroot DIR python3' where the project lies at the same path")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="a-bf16,b-bf16,a-fp32,b-fp32,ranks,optimizer,attention,start", help="groups of rows, separated by commas")
    parser.add_argument("--write", help="page whose table is replaced")
    return parser.parse_args()


class Runs:
    """Programs that are run in turn, and what they said."""

    def __init__(self, arguments):
        self.arguments, self.commands, self.results = arguments, {}, {}

    def add(self, name, command):
        self.commands[name] = [str(word) for word in command]

    def uniscale(self, name, config, *settings, ranks=None, threads=None):
        command = [UNISCALE, "benchmark", "step", ROOT / f"configs/benchmarks/benchmark-{config}.yaml", "--steps", self.arguments.steps, "--json"]
        for setting in (*settings, f"train.threads={threads or self.arguments.threads}"):
            command += ["--set", setting]
        self.add(name, command + (["--ranks", ranks] if ranks else []))

    def peer(self, name, what, *options, steps=None):
        self.add(name, [*shlex.split(self.arguments.python), PEER, what, *options, "--steps", steps or self.arguments.steps, "--threads", self.arguments.threads, "--json"])

    def run(self):
        """Yields the number of complete rounds after each."""
        for number in range(self.arguments.rounds):
            for name, command in self.commands.items():
                load, begin = os.getloadavg()[0], time.time()
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    print(f"{name} failed ({done.returncode}): {done.stderr.strip()[-300:]}", file=sys.stderr)
                    continue
                result = json.loads(done.stdout)
                result["load"] = load
                self.results.setdefault(name, []).append(result)
                said = f"{result['tokens_per_second']:.0f} tokens/s" if "tokens_per_second" in result else ""
                print(f"round {number + 1} | {name:28} | {said} | {time.time() - begin:.0f} s | load {load:.1f}", file=sys.stderr)
            yield number + 1

    def median(self, name, read):
        values = [read(result) for result in self.results.get(name, [])]
        return statistics.median(values) if values else float("nan")

    def speed(self, name):
        return self.median(name, lambda result: result["tokens_per_second"])

    def by_rounds(self, name, other):
        """Median of the ratios of the speeds of two commands within each round, which ran minutes apart; nan where a run is missing."""
        ours, theirs = (self.results.get(key, []) for key in (name, other))
        return statistics.median(a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(ours, theirs)) if ours and len(ours) == len(theirs) else float("nan")


def declare(runs, groups):
    for config in ("a", "b"):
        if f"{config}-bf16" in groups:
            runs.peer(f"{config} bf16 published", config, "--as-published", steps=1)
            runs.peer(f"{config} bf16 tuned", config, "--tuned")
            runs.uniscale(f"{config} bf16", config)
        if f"{config}-fp32" in groups:
            for name, options in FP32_PEERS.items():
                runs.peer(f"{config} fp32 {name}", config, "--tuned", "--precision", "fp32", *options)
            runs.uniscale(f"{config} fp32", config, "train.precision=fp32")
    if "ranks" in groups:
        if "a bf16" not in runs.commands:
            runs.uniscale("a bf16", "a")
        for name, settings in LAYOUTS.items():
            runs.uniscale(f"ranks {name}", "a", *settings, ranks=2, threads=1)
    if "optimizer" in groups:
        runs.add("optimizer", [UNISCALE, "benchmark", "kernels", "--only", "optimizer", "--rounds", 7, "--threads", runs.arguments.threads, "--json"])
    if "attention" in groups:
        runs.peer("attention peer", "attention", steps=1)
        runs.add("attention", [UNISCALE, "benchmark", "kernels", "--only", "attention", "--rounds", 3, "--threads", runs.arguments.threads, "--json"])


def row(goal, wanted, reached, sides):
    return f"| {goal} | {wanted} | {reached} | {sides} |"


def figure(value, unit="", digits=2):
    return f"**{value:.{digits}f}{unit}**"


def share(profile, name):
    part = next(part["seconds"] for part in profile["parts"] if part["name"] == name)
    return 100 * part / profile["step_seconds"]


def config_rows(runs, config):
    ours, tuned, published = (runs.speed(f"{config} bf16{side}") for side in ("", " tuned", " published"))
    sides = f"{ours:.0f} tokens/s against {tuned:.0f} tuned, {published:.0f} as published"
    yield row(f"config {config.upper()}, bf16, against tuned by hand", "2.0 ×", figure(ours / tuned, " ×"), f"{sides}; by rounds {runs.by_rounds(f'{config} bf16', f'{config} bf16 tuned'):.2f}")
    yield row(f"config {config.upper()}, bf16, against as published", "8 ×", figure(ours / published, " ×"), f"the same runs; by rounds {runs.by_rounds(f'{config} bf16', f'{config} bf16 published'):.2f}")
    flops, peak = (runs.median(f"{config} bf16", lambda r, key=key: r[key]) for key in ("model_flops", "peak_flops"))
    wanted = "50%" if config == "b" else ""
    yield row(f"share of the peak with loads, config {config.upper()}", wanted, figure(100 * flops / peak, "%", 1), f"{flops / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s")
    if config == "a":
        outside = runs.median("a bf16", lambda r: share(r["profile"], "outside kernels"))
        bytes_ = runs.median("a bf16", lambda r: r["managed_bytes"])
        yield row("time outside kernels, config A", "< 3%", figure(outside, "%", 1), "of a recorded step")
        yield row("managed allocation a step, config A", "< 64 KB", figure(bytes_ / 1024, " KiB", 0), "all threads")
    else:
        memory, theirs = (runs.median(f"{config} bf16{side}", lambda r: r["peak_resident_bytes"]) for side in ("", " tuned"))
        yield row("peak memory, config B", "below tuned PyTorch", figure(memory / 1e9, " GB"), f"against {theirs / 1e9:.2f} GB")


def fp32_rows(runs, config):
    name = f"{config} fp32"
    ours, peers = runs.speed(name), {peer: runs.speed(f"{name} {peer}") for peer in FP32_PEERS}
    best = max(peers, key=lambda peer: -1 if math.isnan(peers[peer]) else peers[peer])
    sides = ", ".join(f"{speed:.0f} {peer}" for peer, speed in peers.items())
    yield row(f"config {config.upper()}, fp32, against PyTorch's best ({best})", FP32_GOALS[config], figure(ours / peers[best], " ×"), f"{ours:.0f} tokens/s against {sides}; by rounds {runs.by_rounds(name, f'{name} {best}'):.2f}")
    flops, peak = (runs.median(name, lambda r, key=key: r[key]) for key in ("model_flops", "peak_flops"))
    yield row(f"share of the peak with loads, config {config.upper()}, fp32", "90%", figure(100 * flops / peak, "%", 1), f"{flops / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s")
    memory, theirs = (runs.median(key, lambda r: r["peak_resident_bytes"]) for key in (name, f"{name} {best}"))
    yield row(f"peak memory, config {config.upper()}, fp32", "PyTorch's", figure(memory / 1e9, " GB"), f"against {theirs / 1e9:.2f} GB")


def table(runs, groups, start):
    lines = ["| | goal | reached | sides |", "|---|---|---|---|"]
    for config in ("a", "b"):
        if f"{config}-bf16" in groups:
            lines += config_rows(runs, config)
    for config in ("a", "b"):
        if f"{config}-fp32" in groups:
            lines += fp32_rows(runs, config)
    if "ranks" in groups:
        one = runs.speed("a bf16")
        for name, (goal, theirs) in LAYOUT_GOALS.items():
            two = runs.speed(f"ranks {name}")
            lines.append(row(f"2 ranks × 1 thread against 1 × 2: {name}", f"{goal:.2f}", figure(two / one), f"{two:.0f} against {one:.0f} tokens/s; by rounds {runs.by_rounds(f'ranks {name}', 'a bf16'):.2f}; PyTorch 2.14 on gloo: {theirs:.2f}"))
    if "optimizer" in groups:
        rate, copy = (runs.median("optimizer", lambda r, key=key: r["measurements"][0][key]) for key in ("rate", "yardstick_rate"))
        lines.append(row("optimizer step against a plain copy", "80%", figure(100 * rate / copy, "%", 0), f"{rate / 1e9:.1f} of {copy / 1e9:.1f} GB/s"))
    if "attention" in groups:
        def seconds(result):
            return sum(m["seconds"] for m in result["measurements"] if m["detail"].startswith("1 x 16384"))
        ours, theirs = runs.median("attention", seconds), runs.median("attention peer", lambda r: r["median_seconds"])
        lines.append(row("attention of 1 × 16,384 tokens, forward and backward", "3 ×", figure(theirs / ours, " ×"), f"{ours:.2f} s against {theirs:.2f} s"))
    if start is not None:
        lines.append(row("from `uniscale train` to the first step, warm files", "< 2 s", figure(start, " s"), "configs/benchmarks/benchmark-a.yaml on the small corpus"))
    return lines


def start_up(rounds):
    """Seconds from starting `uniscale train` to the beginning of the first step; None without a corpus."""
    corpus = os.environ.get("UNISCALE_CORPUS", "data/corpus-small")
    if not (ROOT / corpus / "tokenizer.model").exists():
        print(f"no {corpus}: the start-up row is left out", file=sys.stderr)
        return None
    seconds = []
    for _ in range(rounds + 1):
        folder = tempfile.mkdtemp()
        begin = time.time()
        subprocess.run(
            [ROOT / "scripts/uniscale", "train", "configs/benchmarks/benchmark-a.yaml", "--set", "train.steps=1", "--set", f"run_directory={folder}/run"],
            cwd=ROOT, capture_output=True, check=True)
        records = [json.loads(line) for line in open(f"{folder}/run/metrics.jsonl", encoding="utf-8")]
        step = next(record for record in records if record["kind"] == "step")
        ended = datetime.datetime.fromisoformat(step["time"].replace("Z", "+00:00")).timestamp()
        seconds.append(ended - step["seconds"] - begin)
        shutil.rmtree(folder)
    return statistics.median(seconds[1:])


def provenance(runs, rounds):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    ours = next((results[0] for results in runs.results.values() if "processor" in results[0]), {})
    torch = next((results[0]["torch"] for results in runs.results.values() if "torch" in results[0]), "none")
    loads = [result["load"] for results in runs.results.values() for result in results]
    load = f"load average {min(loads):.1f} to {max(loads):.1f}" if loads else "load unknown"
    return (f"Commit {commit}; {ours.get('processor', 'unknown processor')}; peers on torch {torch}; {runs.arguments.threads} threads; medians of "
            f"{rounds} rounds of {runs.arguments.steps} steps (as published: 1); {load}.")


def main():
    arguments = parse()
    page = Page(arguments.write)
    groups = arguments.only.split(",")
    runs = Runs(arguments)
    declare(runs, groups)
    start = start_up(arguments.rounds) if "start" in groups else None
    # After every round, so that a run cut short has something to show.
    for rounds in runs.run():
        text = "\n".join([provenance(runs, rounds), "", *table(runs, groups, start)])
        page.fill(text)
    if not arguments.write:
        print(text)


if __name__ == "__main__":
    main()
