#!/usr/bin/env bash
# A model is trained on a folder of text, taught to answer, and made to prefer: fine-tuning, a reward model, direct preference optimization, rewards for answers of its own, rounds.
#   examples/alignment/run.sh [FOLDER_OF_TEXT]     default: this repository's documentation
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
text=$(realpath "${1:-$root/docs}")
uniscale=${UNISCALE:-$root/scripts/uniscale}
cd "${WORK:-$here}"
rm -rf work runs
mkdir work
cp "$here"/*.yaml work/

# A vocabulary with the markers of a chat, and a model that has read.
symbols=()
for symbol in '<|im_start|>' '<|im_end|>' '<|action_start|>' '<|action_end|>' '<|interpreter|>' '<|plugin|>' '[UNUSED_TOKEN_130]'; do symbols+=(--symbol "$symbol"); done
"$uniscale" data import "$text" --domain text --out work/store
"$uniscale" tokenizer train work/store --vocabulary 512 "${symbols[@]}" --out work/tokenizer.model
"$uniscale" data tokenize work/store --tokenizer work/tokenizer.model --out work/tokens
"$uniscale" train work/base.yaml

# It learns to answer.
bash "$here/make-data.sh" work/raw
"$uniscale" data chat work/raw/sums.jsonl --format messages --domain sums --tokenizer work/tokenizer.model --context 256 --validation 0.1 --out work/chat --show
"$uniscale" train work/sft.yaml

# A model of what is preferred, which is told the domain.
"$uniscale" data chat work/raw/pairs.jsonl --format preference --conditions work/conditions.yaml --tokenizer work/tokenizer.model --context 256 --validation 0.1 --out work/pairs
"$uniscale" train work/reward.yaml
"$uniscale" align score runs/reward --data work/raw/pairs.jsonl --conditions work/conditions.yaml

# Or the preferences at once, without a reward model.
"$uniscale" data chat work/raw/pairs.jsonl --format preference --tokenizer work/tokenizer.model --context 256 --validation 0.1 --out work/plain-pairs
"$uniscale" train work/dpo.yaml

# Or rewards for answers of its own, which a rule checks.
"$uniscale" align work/grpo.yaml

# Or by the reward model, with a critic.
"$uniscale" align work/ppo.yaml

# Or in rounds, each of which mends what the reward model was deceived by in the one before.
"$uniscale" align work/cool.yaml
