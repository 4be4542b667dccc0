#!/usr/bin/env bash
# From the quickstart's model to one that answers as people prefer: questions and answers, English and Chinese, about the packages of this system; fine-tuning, a reward model for three domains, proximal
# policy optimization, and two rounds of COOL RLHF on comparisons with a planted flaw, which the fast path finds and mends. A table at the end. Run scripts/quickstart.sh first.
#
#   scripts/alignment.sh                                  everything lands under data/alignment and runs/alignment-*
#   SEED=2 scripts/alignment.sh                           other prompts and random numbers in all runs
#   PACKAGES=100 SETTINGS="train.steps=10" scripts/alignment.sh
#   UNISCALE_BASE=runs/other scripts/alignment.sh         another run of the quickstart's shape of model
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export UNISCALE_BASE=${UNISCALE_BASE:-runs/quickstart} UNISCALE_ALIGNMENT=${UNISCALE_ALIGNMENT:-data/alignment}
packages=${PACKAGES:-600} seed=${SEED:-1} program=${UNISCALE:-scripts/uniscale}
tokenizer=$UNISCALE_BASE/tokenizer.model data=$UNISCALE_ALIGNMENT
[[ -e $tokenizer ]] || { echo "alignment: there is no model in $UNISCALE_BASE: run scripts/quickstart.sh first, or name another run in UNISCALE_BASE" >&2; exit 2; }
settings=(--set train.seed="$seed")
for setting in ${SETTINGS:-}; do settings+=(--set "$setting"); done

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
uniscale() { "$program" "$@"; }
# The quickstart's vocabulary has no markers of chats: a line a message, ended by the end of text.
chat() { uniscale data chat "$data/raw/$1.jsonl" --format "$2" --template plain --tokenizer "$tokenizer" --context 256 --out "$data/$3" "${@:4}"; }

say "1/5  questions and answers about packages"
rm -rf "$data" runs/alignment-sft runs/alignment-reward runs/alignment-ppo runs/alignment-cool
python3 scripts/alignment.py data "$data/raw" --packages "$packages"
chat chat prompt chat --show
chat held prompt held
chat pairs preference pairs --validation 0.1 --conditions configs/alignment/conditions.yaml
chat pairs preference plain-pairs --validation 0.1 # for configs/alignment/dpo.yaml

say "2/5  fine-tuning"
uniscale train configs/alignment/sft.yaml "${settings[@]}"
say "3/5  a reward model for three domains"
uniscale train configs/alignment/reward.yaml "${settings[@]}"
say "4/5  proximal policy optimization"
uniscale align configs/alignment/ppo.yaml "${settings[@]}"
say "5/5  two rounds with flawed comparisons: the first is deceived, the second mended"
uniscale align configs/alignment/cool.yaml "${settings[@]}"

say "what came of it"
echo "The reward model, all comparisons:"
uniscale align score runs/alignment-reward --data "$data/raw/pairs.jsonl" --template plain --conditions configs/alignment/conditions.yaml
echo
echo "Answers to held-out questions. gold: the rule of scripts/alignment.py, which no model sees; score: what the run learns from; second: the reward model above."
python3 scripts/alignment.py table SFT=runs/alignment-ppo:0 PPO=runs/alignment-ppo "PPO, deceived=runs/alignment-cool/round-1/policy" COOL=runs/alignment-cool/round-2/policy
