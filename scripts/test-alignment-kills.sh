#!/usr/bin/env bash
# Kills runs of fine-tuning, a reward model, proximal policy optimization and rounds of both with SIGKILL at random moments, resumes them, and compares the ends with unbroken ones bit by bit.
# Usage: [KINDS="sft reward ppo rounds"] scripts/test-alignment-kills.sh [kills of each kind, default 20] [longest life in milliseconds, default 6000]: longer than a start takes
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kills=${1:-20} longest=${2:-6000} kinds=${KINDS:-sft reward ppo rounds}
for kind in $kinds; do
    [[ " sft reward ppo rounds " == *" $kind "* ]] || { echo "KINDS has '$kind': sft, reward, ppo and rounds are known." >&2; exit 2; }
done
uniscale=$root/src/Uniscale.Cli/bin/Release/net10.0/uniscale
[[ -x $uniscale ]] || dotnet build "$root/src/Uniscale.Cli" --configuration Release --nologo --verbosity quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The tutorial's data, a smaller model, fewer steps.
mkdir work
for file in "$root"/examples/alignment/*.yaml; do
    sed -E 's/layers: 4/layers: 2/; s/hidden: 128/hidden: 64/; s/steps: [0-9]+/steps: 24/; s/prompts: 128/prompts: 32/' "$file" > "work/$(basename "$file")"
done
printf 'checkpoint: { every: 4 }\n' >> work/base.yaml
cat > work/cool.yaml <<'YAML'
extends: ppo.yaml
name: cool
reward_model: { from: null }
rollout: { samples: { prompts: [work/raw/held.jsonl], format: messages, domain: sums, count: 24 } }
rounds:
  count: 2
  reward: work/reward.yaml
  preferences: [work/raw/pairs.jsonl]
  early: 4
  fast: { deviations: 0, label: [{ kind: format, pattern: "[0-9]{1,2}" }] }
  slow: { pairs: 10 }
YAML
symbols=()
for symbol in '<|im_start|>' '<|im_end|>' '<|action_start|>' '<|action_end|>' '<|interpreter|>' '<|plugin|>' '[UNUSED_TOKEN_130]'; do symbols+=(--symbol "$symbol"); done
{
    "$uniscale" data import "$root/docs/decisions" --domain text --out work/store
    "$uniscale" tokenizer train work/store --vocabulary 512 "${symbols[@]}" --out work/tokenizer.model
    "$uniscale" data tokenize work/store --tokenizer work/tokenizer.model --out work/tokens
    bash "$root/examples/alignment/make-data.sh" work/raw
    awk 'NR % 9 == 0' work/raw/sums.jsonl > work/raw/held.jsonl
    "$uniscale" data chat work/raw/sums.jsonl --format messages --domain sums --tokenizer work/tokenizer.model --context 256 --validation 0.1 --out work/chat
    "$uniscale" data chat work/raw/pairs.jsonl --format preference --conditions work/conditions.yaml --tokenizer work/tokenizer.model --context 256 --validation 0.1 --out work/pairs
    for run in base sft reward; do "$uniscale" train "work/$run.yaml"; done
} > prepare.log 2>&1 || { cat prepare.log; exit 1; }

for run in sft reward ppo; do
    [[ " $kinds " == *" $run "* ]] || continue
    echo "$run:"
    "$root/scripts/check-kills.sh" "work/$run.yaml" "$kills" 2 "$longest"
done

[[ " $kinds " == *" rounds "* ]] || exit 0
echo "rounds:"
"$uniscale" align work/cool.yaml --set run_directory="$work/unbroken" > unbroken.log 2>&1 || { cat unbroken.log; exit 1; }
RANDOM=11
for ((kill = 1; kill <= kills; kill++)); do
    "$uniscale" align work/cool.yaml --resume --set run_directory="$work/broken" > broken.log 2>&1 &
    pid=$!
    sleep "$(awk "BEGIN {print (500 + $RANDOM % ($longest * 3 / 2)) / 1000}")"
    # The child of the rounds has a session of its own: both are killed in the same moment.
    pgid=$(pgrep -P "$pid" || true)
    if ! kill -KILL "$pid" ${pgid:+$pgid} 2>/dev/null; then
        wait "$pid" || { cat broken.log; echo "kill $kill: the rounds failed by themselves"; exit 1; }
        rm -rf "$work/broken" # they came to their end, and begin again: there is always something to kill
        continue
    fi
    wait "$pid" 2>/dev/null || true
done
"$uniscale" align work/cool.yaml --resume --set run_directory="$work/broken" > broken.log 2>&1 || { cat broken.log; exit 1; }
for run in round-1/reward round-1/policy round-2/reward round-2/policy; do
    "$uniscale" checkpoint diff --all "unbroken/$run" "broken/$run"
done
for file in round-1/fast/patches.jsonl round-2/fast/patches.jsonl round-2/slow/pairs.jsonl; do cmp "unbroken/$file" "broken/$file"; done
echo "$kills kills: both rounds are those of the unbroken ones"
