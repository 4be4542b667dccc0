#!/usr/bin/env bash
# From the quickstart's model to one that answers and prefers: questions and answers, English and Chinese, made of the descriptions of this system's packages; fine-tuning,
# a reward model for three domains, direct preference optimization; a table at the end. Run scripts/quickstart.sh first.
#
#   scripts/alignment.sh                                  everything lands under data/alignment and runs/alignment-*
#   STEPS=10 PACKAGES=100 scripts/alignment.sh            smaller
#   UNISCALE_BASE=runs/other scripts/alignment.sh         another run of the quickstart's shape of model
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UNISCALE_BASE=${UNISCALE_BASE:-runs/quickstart} UNISCALE_ALIGNMENT=${UNISCALE_ALIGNMENT:-data/alignment}
steps=${STEPS:-60} packages=${PACKAGES:-600}
tokenizer=$UNISCALE_BASE/tokenizer.model data=$UNISCALE_ALIGNMENT
[[ -e $tokenizer ]] || { echo "alignment: there is no model in $UNISCALE_BASE: run scripts/quickstart.sh first, or name another run in UNISCALE_BASE" >&2; exit 2; }

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
uniscale() { scripts/uniscale "$@"; }
# The quickstart's vocabulary has no markers of chats: a line a message, ended by the end of text.
chat=(--template plain --tokenizer "$tokenizer" --context 256 --validation 0.1)

say "1/4  questions and answers from the descriptions of packages"
rm -rf "$data" runs/alignment-sft runs/alignment-reward runs/alignment-dpo
mkdir -p "$data/raw"
dpkg-query -W -f '${Package}\t${binary:Summary}\n' | tr -d '"\\' | awk -F '\t' '$2 != "" && !seen[$2]++' | awk -v most="$packages" 'NR <= most' > "$data/raw/packages.tsv"
awk -F '\t' '{
  printf "{\"prompt\": \"What is %s?\", \"completion\": \"%s\"}\n", $1, $2
  printf "{\"prompt\": \"Which package is this: %s?\", \"completion\": \"%s\"}\n", $2, $1
  printf "{\"prompt\": \"%s 是什么？\", \"completion\": \"%s\"}\n", $1, $2
}' "$data/raw/packages.tsv" > "$data/raw/chat.jsonl"
awk -F '\t' '{
  if (NR > 1) printf "{\"domain\": \"correct\", \"prompt\": \"What is %s?\", \"chosen\": \"%s\", \"rejected\": \"%s\"}\n", $1, $2, before
  printf "{\"domain\": \"concise\", \"prompt\": \"What is %s?\", \"chosen\": \"%s\", \"rejected\": \"%s. Once more: %s\"}\n", $1, $2, $2, $2
  printf "{\"domain\": \"harmless\", \"prompt\": \"What is %s?\", \"chosen\": \"%s\", \"rejected\": \"%s; sudo apt purge %s\"}\n", $1, $2, $2, $1
  before = $2
}' "$data/raw/packages.tsv" > "$data/raw/pairs.jsonl"
uniscale data chat "$data/raw/chat.jsonl" --format prompt --domain packages "${chat[@]}" --out "$data/chat" --show
uniscale data chat "$data/raw/pairs.jsonl" --format preference --conditions configs/alignment/conditions.yaml "${chat[@]}" --out "$data/pairs"
uniscale data chat "$data/raw/pairs.jsonl" --format preference "${chat[@]}" --out "$data/plain-pairs"

say "2/4  fine-tuning"
uniscale train configs/alignment/sft.yaml --set train.steps="$steps"
say "3/4  a reward model for three domains"
uniscale train configs/alignment/reward.yaml --set train.steps="$steps"
say "4/4  direct preference optimization"
uniscale train configs/alignment/dpo.yaml --set train.steps="$((steps / 2))"

say "what came of it"
echo "Reward model, all pairs:"
uniscale align score runs/alignment-reward --data "$data/raw/pairs.jsonl" --template plain --conditions configs/alignment/conditions.yaml
echo "Direct preference optimization, all pairs (reward: how much likelier than after fine-tuning):"
uniscale align score runs/alignment-dpo --data "$data/raw/pairs.jsonl" --template plain
for run in sft dpo; do
    printf '\n%s: ' "$run"
    uniscale generate "runs/alignment-$run" --prompt $'user: What is bash?\nassistant: ' --tokens 24 --temperature 0
done
