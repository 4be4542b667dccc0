#!/usr/bin/env bash
# From a fresh machine to a trained model: installs what is missing, builds, makes a real corpus, trains, stops a run in the middle and
# resumes it with an identical loss curve, validates by domain, and writes a paragraph.
#
#   scripts/quickstart.sh            everything lands under data/corpus-small and runs/
#   STEPS=400 scripts/quickstart.sh  trains longer
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# As many steps as some minutes of this processor hold: bf16 is twice as fast where it is multiplied, and four times on tiles.
if grep -qw amx_bf16 /proc/cpuinfo; then precision=bf16 steps=${STEPS:-300}
elif grep -qw avx512_bf16 /proc/cpuinfo; then precision=bf16 steps=${STEPS:-160}
else precision=fp32 steps=${STEPS:-80}; fi
half=$((steps / 2))
config=configs/quickstart.yaml
whole=runs/quickstart
broken=runs/quickstart-resumed

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
uniscale() { scripts/uniscale "$@"; }
train=(scripts/uniscale train "$config" --set train.steps="$steps" --set train.precision="$precision" --set checkpoint.every="$half")

say "1/6  installing what is missing, building"
scripts/setup.sh
uniscale doctor

say "2/6  a real corpus: English and Chinese, six domains"
scripts/corpus.sh small

say "3/6  training $steps steps of a 14M-parameter model in $precision"
rm -rf "$whole" "$broken"
"${train[@]}" --set run_directory="$whole"

say "4/6  the same run, killed after step $half and resumed"
"${train[@]}" --set run_directory="$broken" >/dev/null 2>&1 &
trainer=$!
until [[ -e $(printf '%s/checkpoints/step-%08d/COMMITTED' "$broken" "$half") ]] || ! kill -0 "$trainer" 2>/dev/null; do sleep 0.2; done
kill -9 "$trainer" 2>/dev/null || true
wait "$trainer" 2>/dev/null || true
"${train[@]}" --set run_directory="$broken" --resume
losses() { sed -n 's/.*"step":\([0-9]*\),.*"loss":\([-0-9.eE]*\),.*/\1 \2/p' "$1/metrics.jsonl"; }
if diff <(losses "$whole") <(losses "$broken") >/dev/null && [[ -n $(losses "$whole") ]]; then
    echo "The resumed run has the same loss at each of its steps, to the last digit."
else
    echo "quickstart: the resumed run's losses differ from the unbroken run's; compare $whole/metrics.jsonl and $broken/metrics.jsonl" >&2
    exit 1
fi

say "5/6  checkpoints of the run"
uniscale checkpoint list "$whole"

say "6/6  a paragraph by the model"
uniscale generate "$whole" --prompt "The kernel" --tokens 120 --temperature 0.7

cat <<END

Where everything lies:
  data/corpus-small/store, tokens   the documents, and the token shards made of them
  data/corpus-small/tokenizer.model the vocabulary
  $whole                  resolved configuration, metrics.jsonl, TensorBoard events, logs, checkpoints
  $broken          the run that was killed and resumed
Next: scripts/uniscale train $config --set train.steps=2000 --set run_directory=runs/longer
END
