#!/usr/bin/env python3
"""Group relative policy optimization on sums that are generated here: does the share of right answers to held-out sums rise?

    tests/benchmarks/grpo_arithmetic.py [--seeds 3] [--steps 100] [--sft-steps 200] [--folder FOLDER] [--uniscale PROGRAM] [--write FILE.md]

A model of half a million parameters is fine-tuned on a few of the sums of a number below 100 and one below 10 until it gets some of them right. From there it goes on with rewards alone, once for each
seed, on other sums: 1 for the right number, 0.1 for an answer that is a number. Exact match is of the likeliest answers to held-out sums, which no step has seen. --write replaces what stands between
'<!-- runs -->' and '<!-- end -->' in a page. Fails where the mean rise is not at least twice its standard error. Needs a built `uniscale` (scripts/uniscale builds it).
"""
import argparse
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
BEGIN, END = "<!-- runs -->", "<!-- end -->"
CONTEXT, HELD = 128, 250

COMMON = f"""
model: {{ layers: 2, hidden: 128, heads: 4, context: {CONTEXT} }}
logging: {{ tensor_board: false, every: 20 }}
train: {{ steps: 1 }}
"""


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=os.environ)
    if done.returncode != 0:
        sys.exit(f"uniscale {' '.join(map(str, arguments))} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def records(folder, kind):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def make_data(program, folder, shown):
    """Sums in a random order: some whose answers are shown, others that are only asked, and HELD that no step sees."""
    sums = [(a, b) for a in range(100) for b in range(10)]
    random.Random(7).shuffle(sums)
    for name, part in (("shown", sums[:shown]), ("asked", sums[shown:-HELD]), ("held", sums[-HELD:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"prompt": f"{a} + {b} = ?", "completion": f"{a + b}"}) + "\n" for a, b in part))
    (folder / "text.txt").write_text("\n".join(f"user: {a} + {b} = ?\nassistant: {a + b}" for a, b in sums))
    run(program, "tokenizer", "train", folder / "text.txt", "--vocabulary", 300, "--out", folder / "sums.model")
    for name in ("shown", "asked", "held"):
        run(program, "data", "chat", folder / f"{name}.jsonl", "--format", "prompt", "--template", "plain", "--domain", name, "--tokenizer", folder / "sums.model", "--context", CONTEXT, "--out", folder / "store")


def configure(folder, name, source, text):
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\nrun_directory: {folder}/runs/{name}\ndata:\n  tokenizer: {folder}/sums.model\n  sources: [{{ name: sums, shards: [\"{folder}/store/{source}.train\"] }}]\n"
                    f"  validation: [{{ name: held, shards: [\"{folder}/store/held.train\"] }}]\n{COMMON}{text}")
    return path


def fine_tune(program, folder, steps):
    run(program, "train", configure(folder, "sft", "shown", f"objective: sft\nbatch: {{ global: 16 }}\noptimizer: {{ lr: 2e-3 }}\n"), "--set", f"train.steps={steps}")


def align(program, folder, seed, steps):
    name = f"grpo-{seed}"
    text = f"""objective: grpo
start_from: {folder}/runs/sft
rollout: {{ template: plain, prompts: 64, max_tokens: 8, batch: 128, minibatches: 2 }}
grpo: {{ group: 8, beta: 0.01 }}
rewards: [{{ kind: number }}, {{ kind: format, pattern: "[0-9]+", weight: 0.1 }}]
batch: {{ global: 64 }}
optimizer: {{ lr: 5e-4, weight_decay: 0 }}
schedule: {{ kind: constant, warmup_ratio: 0 }}
evaluation: {{ every: 20, sequences: {HELD} }}
"""
    path = configure(folder, name, "asked", text)
    # Before the first update: a run of one batch whose rate is nothing.
    run(program, "align", path, "--set", f"train={{steps: 2, seed: {seed}}}", "--set", f"run_directory={folder}/runs/{name}-start", "--set", "optimizer.lr=1e-30", "--set", "evaluation.every=2")
    run(program, "align", path, "--set", f"train={{steps: {steps}, seed: {seed}}}")
    start = records(folder / "runs" / f"{name}-start", "validation")[-1]["measures"]
    after = records(folder / "runs" / name, "validation")
    steps_ = records(folder / "runs" / name, "step")
    return {
        "seed": seed,
        "before": start["reward/number"],
        "curve": [(record["step"], record["measures"]["reward/number"]) for record in after],
        "after": after[-1]["measures"]["reward/number"],
        "sampled": (statistics.mean(step["measures"]["reward/number"] for step in steps_[:4]), statistics.mean(step["measures"]["reward/number"] for step in steps_[-4:])),
        "kl": steps_[-1]["measures"]["objective/kl"],
        "length": steps_[-1]["measures"]["answer/length"],
        "seconds": sum(step["seconds"] for step in steps_),
        "rollout": sum(step["measures"]["rollout/seconds"] for step in steps_[::2]),
    }


def table(results):
    lines = ["| seed | exact match of held-out sums before | after | sampled, first two batches | last two | KL at the end, nats | seconds | of them drawing |", "|---|---|---|---|---|---|---|---|"]
    lines += [f"| {r['seed']} | {r['before']:.1%} | {r['after']:.1%} | {r['sampled'][0]:.1%} | {r['sampled'][1]:.1%} | {r['kl']:.2f} | {r['seconds']:.0f} | {r['rollout']:.0f} |" for r in results]
    rises = [r["after"] - r["before"] for r in results]
    error = statistics.stdev(rises) / math.sqrt(len(rises)) if len(rises) > 1 else float("nan")
    lines += ["", f"Mean rise {statistics.mean(rises):+.1%}, standard error over seeds {error:.1%}; {HELD} held-out sums, so a share of 50% has a standard error of {math.sqrt(0.25 / HELD):.1%} by itself."]
    return "\n".join(lines), statistics.mean(rises), error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--sft-steps", type=int, default=200)
    parser.add_argument("--shown", type=int, default=250)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--uniscale", default=str(UNISCALE))
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="uniscale-grpo-"))
    folder.mkdir(parents=True, exist_ok=True)
    make_data(options.uniscale, folder, options.shown)
    fine_tune(options.uniscale, folder, options.sft_steps)
    results = []
    for seed in range(1, options.seeds + 1):
        results.append(align(options.uniscale, folder, seed, options.steps))
        print(json.dumps(results[-1]), flush=True)
    text, rise, error = table(results)
    print(text)
    if options.write:
        page = options.write.read_text()
        options.write.write_text(page[: page.index(BEGIN) + len(BEGIN)] + "\n" + text + "\n" + page[page.index(END):])
    if not rise > 2 * error:
        sys.exit("The share of right answers does not rise clearly.")


if __name__ == "__main__":
    main()
