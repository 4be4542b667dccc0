#!/usr/bin/env bash
# Kills ranks of a supervised run at random moments, many of them inside saves, and compares its last weights with those of a run
# that nobody touched: they must be the same bits. usage: scripts/test-kills.sh [KILLS] [CONFIG.yaml] (default: 100, configs/tiny.yaml)
# Needs the small corpus (scripts/corpus.sh small), or UNISCALE_CORPUS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kills=${1:-100}
config=${2:-configs/tiny.yaml}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
steps=$((100 + 20 * kills))
settings=(--set "train.steps=$steps" --set checkpoint.every=5 --set checkpoint.keep=3)
last=step-$(printf %08d "$steps")

echo "unbroken: $steps steps on 2 ranks"
scripts/uniscale launch "$config" -n 2 "${settings[@]}" --set "run_directory=$folder/unbroken" >"$folder/unbroken.log" 2>&1

echo "broken: $kills kills"
scripts/uniscale launch "$config" -n 2 "${settings[@]}" --set "run_directory=$folder/broken" --max-restarts "$((kills + 5))" \
    >"$folder/broken.log" 2>&1 &
job=$!
# Process of a rank of the newest attempt, out of its heartbeat (docs/decisions/0012): a 32-bit number at byte 28.
process_of() {
    local beat
    beat=$(find "$folder/broken/launch" -name "rank-0000$1.beat" 2>/dev/null | sort | tail -n 1)
    [[ -n $beat ]] && od -An -t d4 -j 28 -N 4 "$beat" | tr -d ' '
}
# Lines of metrics so far: one a step.
lines() { { wc -l <"$folder/broken/metrics.jsonl"; } 2>/dev/null || echo 0; }
done_kills=0 previous=
while ((done_kills < kills)) && kill -0 "$job" 2>/dev/null; do
    rank=$((RANDOM % 2))
    process=$(process_of "$rank" || true)
    steps_before=$(lines)
    # Not the same attempt twice, and not before it has done something.
    if [[ -z $process || $process == "$previous" ]] || ! kill -0 "$process" 2>/dev/null; then sleep 0.2; continue; fi
    for ((wait = 0; wait < 300; wait++)); do
        (($(lines) > steps_before + 6)) && break
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    sleep "0.$((RANDOM % 1000))"
    kill -9 "$process" 2>/dev/null && done_kills=$((done_kills + 1))
    previous=$process
    sleep 1
done
wait "$job" || { tail -n 5 "$folder/broken.log"; echo "the broken run failed"; exit 1; }
scripts/uniscale status "$folder/broken"
for shard in "$folder/unbroken/checkpoints/$last"/*.safetensors; do
    cmp "$shard" "$folder/broken/checkpoints/$last/$(basename "$shard")"
done
echo "$done_kills kills: the weights and the optimizer's state are bit-identical to the unbroken run's"
