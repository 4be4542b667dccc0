#!/usr/bin/env python3
"""Peak memory of training runs beside the prediction of a planner that nobody has calibrated, over layouts of one and two ranks.

    tests/benchmarks/memory.py [--only TEXT] [--uniscale PROGRAM] [--write FILE.md]

Three steps and a save each; what other programs do meanwhile does not matter. Fails where a peak is predicted below what was measured, or more than 10% above it
for a process beyond 512 MiB. --write replaces what stands between '<!-- memory -->' and '<!-- end of memory -->' in a page.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from pages import Page

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNISCALE = ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale"
OVER, SMALL_MIB = 0.10, 512

# ranks, under MPI, settings; where nothing else is said: 6 layers, hidden 512, context 256.
LAYOUTS = [
    (1, False, "layers=2 hidden=64 context=64 micro=2 global=4"),
    (1, False, "layers=2 hidden=128 context=64 micro=2 global=4"),
    (1, False, "layers=2 hidden=640 context=128 micro=2 global=4"),
    (1, False, "layers=2 hidden=1024 context=128 micro=2 global=2"),
    (1, False, "layers=3 hidden=640 context=192 micro=4 global=4"),
    (1, False, "layers=12 hidden=256 micro=8 global=8"),
    (1, False, "layers=4 hidden=256 context=2048 micro=1 global=2"),
    (1, False, "layers=12 hidden=256 micro=16 global=16 recompute=block"),
    (1, False, "micro=8 global=8 recompute=block"),
    (1, False, "layers=8 hidden=320 context=512 micro=2 global=2 recompute=selective"),
    (1, False, "layers=4 context=128 micro=4 global=4 async=false"),
    (1, False, "layers=4 hidden=768 context=128 micro=4 global=4 precision=bf16"),
    (1, False, "hidden=640 micro=4 global=4 precision=bf16"),
    (2, False, "data=2 micro=4 global=8"),
    (2, False, "data=2 zero=1 micro=4 global=8"),
    (2, False, "data=2 zero=1 hidden=640 micro=2 global=4"),
    (2, False, "data=2 zero=2 micro=4 global=8"),
    (2, False, "data=2 zero=3 micro=4 global=8"),
    (2, False, "tensor=2 micro=4 global=4"),
    (2, False, "tensor=2 sequence=true micro=2 global=4"),
    (2, False, "pipeline=2 micro=2 global=8"),
    (2, False, "pipeline=2 recompute=block micro=4 global=16"),
    (2, True, "data=2 micro=4 global=8"),
    (2, True, "data=2 zero=2 micro=4 global=8"),
    (2, True, "data=2 zero=3 micro=4 global=8"),
    (2, True, "tensor=2 micro=4 global=4"),
    (2, True, "tensor=2 context=512 micro=2 global=4 recompute=selective"),
    (2, True, "pipeline=2 micro=2 global=8"),
]
KEYS = {
    **{key: f"model.{key}" for key in ("layers", "hidden", "context")},
    **{key: f"batch.{key}" for key in ("micro", "global")},
    **{key: f"parallel.{key}" for key in ("data", "tensor", "pipeline", "sequence", "recompute")},
    "zero": "parallel.zero.stage",
    "precision": "train.precision",
    "async": "checkpoint.async",
}
RUN = """
name: memory
data: { sources: [{ name: text, domain: text, shards: [ text ] }] }
model: { layers: 6, hidden: 512, heads: 4, context: 256, vocabulary: 8192 }
train: { threads: 1, steps: 3 }
logging: { tensor_board: false }
"""


def make_data(folder):
    """A shard of random tokens, in Megatron's format: 16 bits a token, documents of 4,096."""
    documents, length = 32, 4096
    numbers = random.Random(1)
    (folder / "text.bin").write_bytes(b"".join(numbers.randrange(8192).to_bytes(2, "little") for _ in range(documents * length)))
    words = lambda values, size: b"".join(value.to_bytes(size, "little") for value in values)
    header = b"MMIDIDX\0\0" + words([1], 8) + bytes([8]) + words([documents, documents + 1], 8)
    pointers = [2 * length * number for number in range(documents)]
    (folder / "text.idx").write_bytes(header + words([length] * documents, 4) + words(pointers, 8) + words(range(documents + 1), 8))
    (folder / "run.yaml").write_text(RUN)


def measure(program, folder, ranks, under_mpi, settings):
    """Bytes of the heaviest process, measured and predicted."""
    run = folder / "run"
    words = ["launch", "run.yaml", "-n", str(ranks)] if under_mpi else ["train", "run.yaml", "--ranks", str(ranks)]
    for setting in settings.split():
        key, value = setting.split("=")
        words += ["--set", f"{KEYS[key]}={value}"]
    done = subprocess.run([str(program), *words, "--set", f"run_directory={run}"], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{settings}: {done.stderr.strip() or done.stdout.strip()}")
    with open(run / "metrics.jsonl") as lines:
        memory = next(record["memory"] for record in map(json.loads, lines) if record["kind"] == "end")
    subprocess.run(["rm", "-rf", str(run)], check=True)
    return memory["measured_bytes"], memory["predicted_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="layouts whose settings hold this text")
    parser.add_argument("--uniscale", type=pathlib.Path, default=UNISCALE, help="the program that is measured")
    parser.add_argument("--write", type=pathlib.Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    page = Page(arguments.write, "<!-- memory -->", "<!-- end of memory -->")
    rows, failed = ["| layout | ranks | measured, MiB | predicted, MiB | error |", "|---|---|---|---|---|"], []
    os.environ.pop("UNISCALE_CLUSTER", None)
    with tempfile.TemporaryDirectory(prefix="uniscale-memory-") as place:
        folder = pathlib.Path(place)
        make_data(folder)
        for ranks, under_mpi, settings in LAYOUTS:
            if arguments.only not in settings:
                continue
            measured, predicted = (bytes / 2**20 for bytes in measure(arguments.uniscale, folder, ranks, under_mpi, settings))
            error = predicted / measured - 1
            where = "1" if ranks == 1 else f"{ranks} under MPI" if under_mpi else f"{ranks} threads"
            rows.append(f"| {settings.replace('=', ' ')} | {where} | {measured:.0f} | {predicted:.0f} | {error:+.1%} |")
            print(rows[-1], flush=True)
            if error < 0 or (error > OVER and measured > SMALL_MIB):
                failed.append(f"{settings}, {where}: {error:+.1%}")
    page.fill("\n".join(rows))
    for line in failed:
        print(line, file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
