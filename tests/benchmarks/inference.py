#!/usr/bin/env python3
"""Reading, generating and answering, beside PyTorch and llama.cpp on the same weights: medians and ratios of alternating rounds.

    tests/benchmarks/inference.py RUN [--batch 1,32] [--precision fp32,bf16] [--rounds 5] [--inside "chroot DIR"] [--write FILE.md]

Exports the run for the peers, and gives each program the same work: prompts of 128 tokens, 64 tokens behind each, and an exam of 64 questions with 32 tokens each
behind a beginning of 128 that all share (llama.cpp has no exam). A round runs every program once; a figure is the median over the rounds of a program's own medians.
--inside runs the peers, PyTorch by python3 and llama.cpp by llama-batched-bench, where they are installed, for example in a chroot of a newer Debian, which must
see this checkout and --scratch under the same paths. llama.cpp runs with one thread and with two; the better counts.
"""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import statistics
import sys

from pages import Page
from programs import output_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
PEER = ROOT / "tests/benchmarks/pytorch_inference.py"
PARTS = ("prompt", "generation", "exam")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default="pytorch,llama.cpp")
    parser.add_argument("--inside", default="", help="what is written before a peer's command")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path("/tmp/uniscale-inference"))
    parser.add_argument("--write", help="page whose table is replaced")
    return parser.parse_args()


def figures_of(command, tries=20):
    """The line of JSON that llama.cpp's benchmark prints from a thread of its own: now and then it ends well before it has."""
    for _ in range(tries):
        for line in output_of(command).splitlines():
            if line.startswith("{"):
                return json.loads(line)
    sys.exit(f"{' '.join(map(str, command))} printed no figures in {tries} runs")


def export(arguments):
    """The weights as the peers read them."""
    folder, files = arguments.scratch / "model", {}
    output_of([UNISCALE, "export", arguments.run, "--to", folder])
    for precision, kind in (("fp32", "f32"), ("bf16", "bf16")):
        files[precision] = arguments.scratch / f"model-{kind}.gguf"
        output_of([UNISCALE, "export", arguments.run, "--format", "gguf", "--type", kind, "--to", files[precision]])
    return folder, files


class Bench:
    """Programs on one batch size and precision; each gives units a second by part."""

    def __init__(self, arguments, folder, files, batch, precision):
        self.arguments, self.folder, self.file = arguments, folder, files[precision]
        self.batch, self.precision, self.inside = batch, precision, shlex.split(arguments.inside)

    def work(self):
        a = self.arguments
        return ["--batch", self.batch, "--prompt", a.prompt, "--tokens", a.tokens, "--questions", a.questions, "--threads", a.threads, "--precision", self.precision]

    def uniscale(self):
        said = json.loads(output_of([UNISCALE, "benchmark", "inference", self.arguments.run, *self.work(), "--rounds", 3, "--json"]))
        return {part["name"]: part["rate"] for part in said["measurements"]}

    def pytorch(self):
        said = json.loads(output_of([*self.inside, "python3", PEER, self.folder, *self.work(), "--rounds", 3]))
        return {part["name"]: part["rate"] for part in said["measurements"]}

    def llama(self):
        a, best = self.arguments, {}
        for threads in sorted({1, a.threads}):
            length = self.batch * (a.prompt + a.tokens)
            said = figures_of([
                *self.inside, "llama-batched-bench", "-m", self.file, "-c", length, "-b", 2048, "-ub", 512, "-npp", a.prompt, "-ntg", a.tokens,
                "-npl", self.batch, "-t", threads, "-tb", threads, "-ngl", 0, "--output-format", "jsonl",
            ])
            for part, rate in (("prompt", said["speed_pp"]), ("generation", said["speed_tg"])):
                best[part] = max(best.get(part, 0), rate)
        return best


def measure(arguments, folder, files):
    rows = []
    for precision in arguments.precision.split(","):
        for batch in map(int, arguments.batch.split(",")):
            bench = Bench(arguments, folder, files, batch, precision)
            programs = {"uniscale": bench.uniscale}
            programs |= {name: {"pytorch": bench.pytorch, "llama.cpp": bench.llama}[name] for name in arguments.peers.split(",") if name}
            rounds = [{name: program() for name, program in programs.items()} for _ in range(arguments.rounds)]
            for part in PARTS:
                rows.append((precision, batch, part, {name: [r[name][part] for r in rounds if part in r[name]] for name in programs}))
    return rows


def table(rows, peers):
    unit = {"exam": "questions/s"}
    yield f"| | batch | Uniscale | {' | '.join(f'{peer} | ratio' for peer in peers)} |"
    yield "|---|---:|---:|" + "---:|---:|" * len(peers)
    for precision, batch, part, rates in rows:
        ours, cells = rates["uniscale"], []
        for peer in peers:
            theirs = rates[peer]
            ratios = [a / b for a, b in zip(ours, theirs)]
            cells += [f"{statistics.median(theirs):,.0f}", f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"] if theirs else ["", ""]
        yield f"| {part}, {precision}, {unit.get(part, 'tokens/s')} | {batch} | {statistics.median(ours):,.0f} | {' | '.join(cells)} |"


def main():
    arguments = parse()
    page = Page(arguments.write)
    shutil.rmtree(arguments.scratch, ignore_errors=True)
    arguments.scratch.mkdir(parents=True)
    folder, files = export(arguments)
    load = os.getloadavg()[0]
    text = "\n".join(table(measure(arguments, folder, files), [name for name in arguments.peers.split(",") if name]))
    text = f"Load {load:.1f} before the first round, {os.getloadavg()[0]:.1f} after the last.\n\n{text}"
    if not arguments.write:
        print(text)
    page.fill(text)


if __name__ == "__main__":
    main()
