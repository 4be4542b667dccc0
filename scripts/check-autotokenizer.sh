#!/usr/bin/env bash
# Exports runs with three kinds of vocabulary and compares AutoTokenizer's tokens with SentencePiece's, both of Debian sid, in a chroot. Needs root and debootstrap.
# check-autotokenizer.sh [CHROOT]; the chroot is kept and used again (default /var/tmp/uniscale-autotokenizer).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uniscale="$root/scripts/uniscale"
chroot=${1:-/var/tmp/uniscale-autotokenizer}
# The mirror that this machine installs from.
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep debian | grep -v -- -security | sed -n 1p)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ! -x $chroot/usr/bin/python3 ]]; then
    debootstrap --variant=minbase sid "$chroot" "$mirror" >"$work/debootstrap.log"
    chroot "$chroot" apt-get install -y --no-install-recommends python3-transformers python3-tokenizers python3-sentencepiece >"$work/apt.log"
fi
rm -rf "$chroot/exports" && mkdir "$chroot/exports" "$work/raw"

cp "$root"/docs/reference/*.md "$root"/docs/how-to/*.md "$work/raw"
"$uniscale" data import "$work/raw" --domain docs --out "$work/store"
for kind in plain symbols nobyte; do
    case $kind in
        plain) options=() ;;
        symbols) options=(--symbol '<|user|>' --symbol '<|a+b|>') ;;
        nobyte) options=(--no-byte-fallback) ;;
    esac
    "$uniscale" tokenizer train "$work/store" --vocabulary 1500 --out "$work/$kind.model" ${options[@]+"${options[@]}"}
    "$uniscale" data tokenize "$work/store" --tokenizer "$work/$kind.model" --out "$work/tokens-$kind"
    cat >"$work/$kind.yaml" <<YAML
run_directory: $work/run-$kind
model: { layers: 1, hidden: 32, heads: 2, context: 32 }
data: { tokenizer: $work/$kind.model, sources: [{ name: docs, shards: [$work/tokens-$kind/docs.train] }] }
batch: { global: 4 }
train: { steps: 1 }
logging: { peak_flops: 1G, tensor_board: false }
YAML
    "$uniscale" train "$work/$kind.yaml" >"$work/$kind.log"
    "$uniscale" export "$work/run-$kind" --to "$chroot/exports/$kind"
done
cat "$work"/raw/*.md >"$chroot/exports/corpus.txt"

chroot "$chroot" python3 - <<'PYTHON'
import glob, random, sentencepiece, transformers
random.seed(1)
text = open("/exports/corpus.txt", encoding="utf-8").read()
letters = ["<s>", "</s>", "<unk>", "<0x41>", "<|user|>", "<|a+b|>"] + list("ab c\n<>|\u2581é日😀ﬁ\t  ")
texts = ["", " ", "  a  b ", "\r\n", "▁▁ x", "a" * 300, "<|user|>hi<|a+b|> there", " <|user|> "]
texts += [text[i:i + random.randrange(1, 200)] for i in (random.randrange(len(text)) for _ in range(300))]
texts += ["".join(random.choice(letters) for _ in range(random.randrange(40))) for _ in range(300)]
failed = 0
for folder in sorted(glob.glob("/exports/*/")):
    ours = sentencepiece.SentencePieceProcessor(model_file=folder + "tokenizer.model")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    different = [t for t in texts if ours.encode(t) != theirs(t)["input_ids"]]
    print(f"{folder}: {len(different)} of {len(texts)} texts differ (transformers {transformers.__version__}) {different[:3]!r}")
    failed += len(different)
raise SystemExit(failed > 0)
PYTHON
