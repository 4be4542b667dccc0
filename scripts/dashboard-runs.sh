#!/usr/bin/env bash
# A folder with something of every kind that the dashboard shows, made by the program in some minutes: runs of two domains and phases, a
# NaN, a killed rank, a fork, a sweep, exams and needles, answers that are rewarded, plans, a failure simulation and a matrix of faults.
#   scripts/dashboard-runs.sh FOLDER; scripts/uniscale dashboard FOLDER/runs --read-shards
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${UNISCALE:-$root/scripts/uniscale}
[[ $# -eq 1 ]] || { echo "dashboard-runs: give the folder to make" >&2; exit 2; }
mkdir -p "$1/runs/plans"
cd "$1"
here=$PWD
uniscale() { "$program" "$@" >>"$here/log.txt" 2>&1 || { echo "dashboard-runs: uniscale $* failed:" >&2; tail -5 "$here/log.txt" >&2; exit 1; }; }

# Two domains of text, a vocabulary with the markers of a chat.
symbols=()
for symbol in '<|im_start|>' '<|im_end|>' '<|action_start|>' '<|action_end|>' '<|interpreter|>' '<|plugin|>' '[UNUSED_TOKEN_130]'; do symbols+=(--symbol "$symbol"); done
for domain in reference how-to; do
    mkdir -p "raw/$domain"
    cp "$root/docs/$domain/"*.md "raw/$domain"
    uniscale data import "raw/$domain" --domain "$domain" --out "store/$domain"
done
uniscale tokenizer train store/reference --vocabulary 600 "${symbols[@]}" --out tokenizer.model
for domain in reference how-to; do
    uniscale data tokenize "store/$domain" --tokenizer tokenizer.model --validation 0.1 --out "tokens/$domain"
done
cat >base.yaml <<YAML
model: { layers: 2, hidden: 32, heads: 2, context: 256 }
data:
  tokenizer: $here/tokenizer.model
  sources:
    - { name: reference, domain: reference, shards: [$here/tokens/reference/reference.train] }
    - { name: how-to, domain: practice, shards: [$here/tokens/how-to/how-to.train] }
  validation:
    - { name: held-reference, domain: reference, shards: [$here/tokens/reference/reference.train] }
    - { name: held-how-to, domain: practice, shards: [$here/tokens/how-to/how-to.train] }
batch: { global: 8, micro: 4 }
optimizer: { lr: 3e-3 }
train: { threads: 1 }
phases:
  - { name: broad, tokens: 122880, mixture: { reference: 0.7, how-to: 0.3 } }
  - { name: fine, tokens: 122880, mixture: { reference: 0.3, how-to: 0.7 }, lr: 1e-3 }
evaluation: { every: 20, sequences: 4 }
checkpoint: { every: 40 }
logging: { peak_flops: 200G, every: 50 }
YAML
train() { uniscale train base.yaml --ranks 1 --set "run_directory=$here/runs/$1" "${@:2}"; }

train first --trace trace.json
mv trace.json runs/first/trace.json
uniscale program runs/first/config.yaml --ranks 1 --trace runs/first/predicted.json
train nan --set faults.enabled=true --set 'faults.inject=[{ kind: nan-gradient, step: 30 }]' --set optimizer.lr=6e-3
uniscale curriculum fork runs/first --phase 2 --set 'phases[1].lr=3e-4' --out runs/first-slower
uniscale train runs/first-slower/fork.yaml --ranks 1 --resume
if command -v mpirun >/dev/null; then
    uniscale launch base.yaml -n 2 --max-restarts 2 --set "run_directory=$here/runs/killed-once" --set parallel.pipeline=2 --set faults.enabled=true --set 'faults.inject=[{ kind: kill, step: 60 }]'
fi

# Learning rate by width.
cat >sweep.yaml <<YAML
name: sweep
directory: $here/runs/sweep
base: base.yaml
set: { phases: '[]', train.steps: 40, data.validation: '[{ name: held-reference, shards: [$here/tokens/reference/reference.train] }]' }
grid: { optimizer.lr: [1e-3, 3e-3, 1e-2], model.hidden: [16, 32] }
cores: 1
YAML
uniscale sweep sweep.yaml

# An exam that nobody can pass, twice, and needles.
mkdir -p exams/mmlu/dev exams/mmlu/test exams/perplexity
cp raw/how-to/testing.md exams/perplexity
for subject in algebra history; do
    awk -v n="$subject" 'BEGIN { for (i = 0; i < 40; i++) printf "Which of these is %d in %s?,%d,%d,%d,%d,%s\n", i, n, i, i + 1, i + 2, i + 3, substr("ABCD", 1 + i % 4, 1) }' >"exams/mmlu/test/${subject}_test.csv"
    awk 'BEGIN { for (i = 0; i < 5; i++) printf "Which is %d?,%d,1,2,3,A\n", i, i }' >"exams/mmlu/dev/${subject}_dev.csv"
done
uniscale evaluate runs/first --tasks mmlu --data exams --variant harness --shots 0
uniscale evaluate runs/first --tasks mmlu,perplexity --data exams --variant harness --shots 1
uniscale evaluate runs/first-slower --tasks mmlu --data exams --variant harness --shots 0
uniscale needle runs/first --lengths 128..256 --depths 5 --tokens 16

# Sums: fine-tuning, a model of what is preferred, and rewards for answers of its own.
bash "$root/examples/alignment/make-data.sh" sums
uniscale data chat sums/sums.jsonl --format messages --domain sums --tokenizer tokenizer.model --context 256 --validation 0.1 --out chat
uniscale data chat sums/pairs.jsonl --format preference --tokenizer tokenizer.model --context 256 --validation 0.1 --out pairs
chat() {
    cat <<YAML
objective: $1
start_from: $here/runs/$2
model: { layers: 2, hidden: 32, heads: 2, context: 256 }
data:
  tokenizer: $here/tokenizer.model
YAML
}
{
    chat sft first
    echo "  sources: [{ name: sums, domain: sums, shards: [$here/chat/sums.train] }]"
    echo "train: { steps: 300, threads: 1 }"
    echo "batch: { global: 8 }"
    echo "optimizer: { lr: 5e-3 }"
} >sft.yaml
{
    chat grpo sft
    echo "  sources: [{ name: sums, domain: sums, shards: [$here/chat/sums.train] }]"
    echo "  validation: [{ name: held-out-sums, domain: sums, shards: [$here/chat/sums.validation] }]"
    echo "rollout: { prompts: 8, max_tokens: 8, samples: { prompts: [$here/sums/sums.jsonl], format: messages, steps: [0, 10, 20], count: 12 } }"
    echo "grpo: { group: 8, beta: 0.02 }"
    echo 'rewards: [{ kind: number }, { kind: format, pattern: "[0-9]+", weight: 0.5 }]'
    echo "batch: { global: 16 }"
    echo "train: { steps: 40, threads: 1 }"
    echo "evaluation: { every: 10, sequences: 8 }"
} >grpo.yaml
{
    chat dpo sft
    echo "  sources: [{ name: correct, domain: correct, shards: [$here/pairs/correct.train] }, { name: concise, domain: concise, shards: [$here/pairs/concise.train] }]"
    echo "  validation: [{ name: held-out-correct, domain: correct, shards: [$here/pairs/correct.validation] }]"
    echo "batch: { global: 8 }"
    echo "train: { steps: 20, threads: 1 }"
    echo "evaluation: { every: 10, sequences: 4 }"
} >dpo.yaml
uniscale train sft.yaml --ranks 1 --set "run_directory=$here/runs/sft"
uniscale train dpo.yaml --ranks 1 --set "run_directory=$here/runs/dpo"
uniscale align grpo.yaml --ranks 1 --set "run_directory=$here/runs/grpo"

# Plans, a search, failures over a run's life, and faults that were injected.
model=$root/configs/models/internlm-104b.yaml
report() { "$program" "${@:2}" --json >"runs/plans/$1.json" 2>>log.txt || { echo "dashboard-runs: uniscale ${*:2} failed: $(tail -1 log.txt)" >&2; exit 1; }; }
report internlm-104b plan "$model"
report layouts plan search "$root/configs/quickstart.yaml" --cluster "$root/configs/clusters/h100-80.yaml" --gpus 8 --top 10
report failures plan simulate "$model" --mtbf 8h..25h --within 60d --runs 200
report faults faults "$root/configs/tests/faults.yaml" --directory "$here/matrix" --only 'NaN in a gradient, left out' --only 'exception in a step'
