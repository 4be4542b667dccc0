#!/usr/bin/env python3
"""Speed of import and tokenizers beside other programs, in alternating rounds: CPU seconds (user and system) and wall time, medians.

    tests/benchmarks/corpora.py STORE WHAT... [--rounds 7] [--uniscale PROGRAM] [--work FOLDER] [--repeat 4]

STORE: a store of documents, such as data/corpus-small/store of `scripts/corpus.sh small DIRECTORY`. WHAT is one or more of
  bytelevel   a tokenizer.json: `uniscale data tokenize` (reading, encoding, writing shards; less the same command on a document of three characters, which is the start
              of the program) against what Hugging Face's tokenizers (npm, 0.23.2) takes to encode alone, English and Chinese apart
  pieces      a SentencePiece model: the same against spm_encode whole
  workers     `uniscale data tokenize` with two workers, and with one, beside one worker on one core (taskset)
  wet         `uniscale data import` of WET files, one worker, against zcat, by wall: a document of the store a record, and pages of 6 KB
  large       the same once with 1 GB of pages; peak memory
  parquet     all documents of a Parquet file read (tests/benchmarks/reading.cs), and imported, against pyarrow's read of its text column, one
              thread each; the reads without the start of the programs (needs pyarrow in --python)
  vocabulary  `uniscale tokenizer train`, 32000 pieces on --megabytes, against spm_train on the same lines, two threads each (long)

Prints medians, the ratio of both sides (median, least, most), and our peak memory. Needs a built `uniscale`, and node, npm, spm_encode, spm_train, zcat for those that compare with them.
"""
import argparse
import gzip
import json
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

ENCODE = """
const { createRequire } = require('node:module')
const fs = require('node:fs')
const { Tokenizer } = createRequire(process.argv[2] + '/x.js')('tokenizers')
const texts = fs.readFileSync(process.argv[4], 'utf8').split('\\n').filter(Boolean).map((line) => JSON.parse(line).text)
const tokenizer = Tokenizer.fromFile(process.argv[3])
;(async () => {
  const [cpu, wall] = [process.cpuUsage(), process.hrtime.bigint()]
  let tokens = 0
  for (let i = 0; i < texts.length; i += 256) for (const encoding of await tokenizer.encodeBatch(texts.slice(i, i + 256), { addSpecialTokens: false })) tokens += encoding.getLength()
  const used = process.cpuUsage(cpu)
  console.log(JSON.stringify({ tokens, cpu: (used.user + used.system) / 1e6, wall: Number(process.hrtime.bigint() - wall) / 1e9 }))
})()
"""

TRAIN = """
const { createRequire } = require('node:module')
const fs = require('node:fs')
const { Tokenizer, BPE, byteLevelPreTokenizer } = createRequire(process.argv[2] + '/x.js')('tokenizers')
const tokenizer = new Tokenizer(BPE.empty())
tokenizer.setPreTokenizer(byteLevelPreTokenizer(false))
tokenizer.train([process.argv[3]])
tokenizer.save(process.argv[4])
const file = JSON.parse(fs.readFileSync(process.argv[4], 'utf8'))
let other = 256
for (let b = 0; b < 256; b++) {
  const c = String.fromCodePoint((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : other++)
  if (!(c in file.model.vocab)) file.model.vocab[c] = Object.keys(file.model.vocab).length
}
const size = Object.keys(file.model.vocab).length
file.added_tokens = [{ id: size, content: '<|endoftext|>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }]
fs.writeFileSync(process.argv[4], JSON.stringify(file))
"""


class Used:
    """What a process used: CPU and wall seconds, most memory in MiB."""

    def __init__(self, cpu, wall, memory=0, output=""):
        self.cpu, self.wall, self.memory, self.output = cpu, wall, memory, output


def run(words, output=None, environment=None):
    started = time.monotonic()
    with open(output or os.devnull, "wb") as target, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([str(word) for word in words], stdout=target, stderr=errors, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, words))}: {errors.read().decode()[-2000:]}")
    return Used(usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024)


def uniscale(*words):
    return run([ARGUMENTS.uniscale, *words])


def documents():
    """Texts of the store, Chinese ones apart."""
    english, chinese = [], []
    for path in sorted(pathlib.Path(ARGUMENTS.store).rglob("*.jsonl.zst")):
        lines = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout.decode().splitlines()
        for line in lines:
            text = json.loads(line)["text"]
            (chinese if sum("\u3400" <= c <= "\u9fff" for c in text[:2000]) > 0.2 * min(len(text), 2000) else english).append(text)
    return {"English and code": english, "Chinese": chinese}


def written(name, texts, repeat=1):
    path = WORK / f"{name.split()[0].lower()}.jsonl"
    with open(path, "w") as file:
        for _ in range(repeat):
            for text in texts:
                file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return path, repeat * sum(len(text.encode()) for text in texts) / 1e6


def rounds(*sides):
    """The sides in turn; the results of each."""
    results = [[] for _ in sides]
    for number in range(ARGUMENTS.rounds):
        for i in range(len(sides)) if number % 2 == 0 else reversed(range(len(sides))):
            results[i].append(sides[i]())
    return results


def tell(name, size, ours, theirs, label, by="cpu"):
    def used(side):
        return statistics.median(getattr(one, by) for one in side)

    unit = {"cpu": "s CPU", "wall": "s"}[by]
    ratios = [getattr(b, by) / getattr(a, by) for a, b in zip(ours, theirs)]
    a, b = used(ours), used(theirs)
    print(f"| {name} | {size:.1f} MB | {a:.2f} {unit} ({size / a:.1f} MB/s) | {label}: {b:.2f} {unit} ({size / b:.1f} MB/s) | "
          f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {max(one.memory for one in ours):.0f} MiB |", flush=True)


def npm_tokenizers():
    folder = pathlib.Path(os.environ.get("TOKENIZERS_FOLDER", WORK / "npm"))
    if not (folder / "node_modules/tokenizers").exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", folder, "tokenizers@0.23.2"], check=True)
    (WORK / "encode.js").write_text(ENCODE)
    (WORK / "train.js").write_text(TRAIN)
    return folder


def bytelevel(texts):
    npm = npm_tokenizers()
    model = WORK / "tokenizer.json"
    lines = WORK / "lines.txt"
    lines.write_text("\n".join(text for part in texts.values() for text in part))
    if not model.exists():
        subprocess.run(["node", WORK / "train.js", npm, lines, model], check=True)
    for name, part in texts.items():
        path, size = written(name, part, ARGUMENTS.repeat)

        def theirs():
            run(["node", WORK / "encode.js", npm, model, path], WORK / "node.out", {"RAYON_NUM_THREADS": "1"})
            said = json.loads((WORK / "node.out").read_text())
            return Used(said["cpu"], said["wall"], output=said["tokens"])

        few = WORK / "few.jsonl"
        few.write_text(json.dumps({"text": "few"}) + "\n")

        def tokenize(file):
            return uniscale("data", "tokenize", file, "--tokenizer", model, "--out", WORK / "json", "--workers", "1", "--domain", f"d{time.monotonic_ns()}")

        def ours():
            start, whole = tokenize(few), tokenize(path)
            return Used(whole.cpu - start.cpu, whole.wall - start.wall, whole.memory)

        sides = rounds(ours, theirs)
        tell(name, size, *sides, "tokenizers, encoding alone")


def sentencepiece_model(texts):
    model = WORK / "m.model"
    if not model.exists():
        path, _ = written("all", [text for part in texts.values() for text in part])
        uniscale("tokenizer", "train", path, "--vocabulary", "8192", "--out", model)
    return model


def pieces(texts):
    model = sentencepiece_model(texts)
    for name, part in texts.items():
        path, size = written(name, part, ARGUMENTS.repeat)
        lines = WORK / "lines.txt"
        lines.write_text("\n".join(part * ARGUMENTS.repeat))
        sides = rounds(
            lambda: uniscale("data", "tokenize", path, "--tokenizer", model, "--out", WORK / "pieces", "--workers", "1", "--domain", f"d{time.monotonic_ns()}"),
            lambda: run(["spm_encode", f"--model={model}", "--output_format=id", f"--input={lines}", f"--output={WORK / 'ids'}"]),
        )
        tell(name, size, *sides, "spm_encode")


def workers(texts):
    model = sentencepiece_model(texts)
    path, size = written("all", [text for part in texts.values() for text in part], 4 * ARGUMENTS.repeat)

    def side(count, *before):
        return lambda: run([*before, ARGUMENTS.uniscale, "data", "tokenize", path, "--tokenizer", model, "--out", WORK / "workers", "--workers", count,
                            "--domain", f"d{time.monotonic_ns()}"])

    alone, one, two = rounds(side(1, "taskset", "-c", "0"), side(1), side(2))
    for by in ("wall", "cpu"):
        tell("two workers", size, two, alone, "one worker on one core", by)
        tell("one worker", size, one, alone, "one worker on one core", by)


def pages(texts, least):
    """Texts joined to pages of some bytes at least."""
    page = []
    for text in (text for part in texts.values() for text in part):
        page.append(text)
        if sum(map(len, page)) >= least:
            yield "\n".join(page)
            page = []


def wet_file(name, pages, megabytes):
    """A member of gzip a record, as Common Crawl has them."""
    path, size, members = WORK / f"{name}.warc.wet.gz", 0, []
    for number, page in enumerate(pages):
        block = page.encode()
        head = (f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://example.org/{number}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
                f"WARC-Record-ID: <urn:uuid:{number}>\r\nContent-Type: text/plain\r\nContent-Length: {len(block)}\r\n\r\n").encode()
        members.append((gzip.compress(head + block + b"\r\n\r\n", 6), len(block)))
    with open(path, "wb") as file:
        while size < megabytes * 1e6:
            for member, length in members:
                file.write(member)
                size += length
                if size >= megabytes * 1e6:
                    break
    return path, size / 1e6


def wet_rounds(name, path, size):
    sides = rounds(lambda: uniscale("data", "import", path, "--domain", f"d{time.monotonic_ns()}", "--out", WORK / "store", "--workers", "1"), lambda: run(["zcat", path]))
    for by in ("wall", "cpu"):
        tell(name, size, *sides, "zcat", by)
    shutil.rmtree(WORK / "store")


def wet(texts):
    for name, least in (("WET, documents as records", 0), ("WET, pages of 6 KB", 6000)):
        wet_rounds(name, *wet_file(f"wet{least}", pages(texts, least), ARGUMENTS.megabytes))


def large(texts):
    ARGUMENTS.rounds = 1
    wet_rounds("WET, pages of 6 KB", *wet_file("large", pages(texts, 6000), 1000))


PYARROW = """
import json, sys, time, pyarrow.parquet as p
for _ in range(2):
    cpu, wall = time.process_time(), time.perf_counter()
    rows = p.read_table(sys.argv[1], columns=['text'], use_threads=False).num_rows
    used = {'documents': rows, 'cpu': time.process_time() - cpu, 'wall': time.perf_counter() - wall}
print(json.dumps(used))
"""


def parquet(texts):
    path, python = WORK / "texts.parquet", shlex.split(ARGUMENTS.python)
    lines, size = written("all", [text for part in texts.values() for text in part], ARGUMENTS.repeat)
    make = f"import json, pyarrow, pyarrow.parquet as p; p.write_table(pyarrow.table({{'text': [json.loads(line)['text'] for line in open({str(lines)!r})]}}), {str(path)!r}, compression='zstd')"
    run([*python, "-c", make])
    subprocess.run(["dotnet", "build", ROOT / "tests/benchmarks/reading.cs", "-c", "Release", "-o", WORK / "reading", "--nologo", "-v", "q"], check=True)

    def said(*words):
        used = run([*words, path], WORK / "said")
        told = json.loads((WORK / "said").read_text())
        return Used(told["cpu"], told["wall"], used.memory, told["documents"])

    read, imported, theirs = rounds(
        lambda: said(WORK / "reading/reading"),
        lambda: uniscale("data", "import", path, "--domain", f"d{time.monotonic_ns()}", "--out", WORK / "store", "--workers", "1"),
        lambda: said(*python, "-c", PYARROW),
    )
    for by in ("wall", "cpu"):
        tell("Parquet, documents read", size, read, theirs, "pyarrow", by)
        tell("Parquet, imported", size, imported, theirs, "pyarrow", by)


def vocabulary(texts):
    """Different lines of 300 MB: each round of the texts has its words in other places."""
    path, lines = WORK / "large.jsonl", WORK / "large.txt"
    size = 0
    with open(path, "w") as file, open(lines, "w") as plain:
        turn = 0
        while size < ARGUMENTS.megabytes * 1e6:
            turn += 1
            for text in (text for part in texts.values() for text in part):
                cut = text[turn * 37 % max(1, len(text)):] + text[: turn * 37 % max(1, len(text))]
                file.write(json.dumps({"text": cut}, ensure_ascii=False) + "\n")
                plain.write(cut + "\n")
                size += len(cut.encode())
                if size >= ARGUMENTS.megabytes * 1e6:
                    break
    options = ["--model_type=bpe", "--vocab_size=32000", "--character_coverage=0.9995", "--byte_fallback=true", "--split_digits=true", "--num_threads=2",
               "--max_sentence_length=4097", "--normalization_rule_name=identity", "--remove_extra_whitespaces=false", "--allow_whitespace_only_pieces=true", "--minloglevel=2"]
    sides = rounds(
        lambda: uniscale("tokenizer", "train", path, "--vocabulary", "32000", "--threads", "2", "--out", WORK / "v.model"),
        lambda: run(["spm_train", f"--input={lines}", f"--model_prefix={WORK / 'v'}", *options]),
    )
    for by in ("wall", "cpu"):
        tell("vocabulary of 32000", size / 1e6, *sides, "spm_train", by)
    print(f"spm_train: most memory {max(used.memory for used in sides[1]):.0f} MiB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("what", nargs="+", choices=["bytelevel", "pieces", "workers", "wet", "large", "parquet", "vocabulary"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=4, help="times that the texts are given, so that starting the program matters little")
    parser.add_argument("--megabytes", type=int, default=300, help="text of the WET files and of the vocabulary")
    parser.add_argument("--uniscale", default=ROOT / "src/Uniscale.Cli/bin/Release/net10.0/uniscale")
    parser.add_argument("--python", default=sys.executable, help="a Python with pyarrow, as words of a command line")
    parser.add_argument("--work")
    ARGUMENTS = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        WORK = pathlib.Path(ARGUMENTS.work or temporary)
        WORK.mkdir(parents=True, exist_ok=True)
        texts = documents()
        for name, part in texts.items():
            print(f"{name}: {len(part)} documents, {sum(len(text.encode()) for text in part) / 1e6:.1f} MB")
        for what in ARGUMENTS.what:
            globals()[what](texts)
