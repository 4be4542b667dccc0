#!/usr/bin/env bash
# Kills a run of 2 ranks with SIGKILL at random moments, resumes it each time, and compares the end with an unbroken run bit by bit.
# Usage: scripts/check-kills.sh CONFIG.yaml [kills, default 20] [ranks, default 2] [longest life in milliseconds, default 4000]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
config=$1 kills=${2:-20} ranks=${3:-2} longest=${4:-4000}
uniscale=$root/src/Uniscale.Cli/bin/Release/net10.0/uniscale
[[ -x $uniscale ]] || dotnet build "$root/src/Uniscale.Cli" --configuration Release --nologo --verbosity quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$uniscale" train "$config" --ranks "$ranks" --set "run_directory=$work/unbroken" >"$work/unbroken.log" 2>&1 \
    || { cat "$work/unbroken.log"; exit 1; }

RANDOM=7
inside=0 done=0 moved=0
steps() { grep -c '"kind":"step"' "$work/broken/metrics.jsonl" 2>/dev/null || true; }
for ((kill = 1; kill <= kills; kill++)); do
    setsid "$uniscale" train "$config" --ranks "$ranks" --resume --set "run_directory=$work/broken" >"$work/broken.log" 2>&1 &
    pid=$!
    life=$((400 + RANDOM % longest)) before=$(steps)
    sleep "$(awk "BEGIN {print $life / 1000}")"
    # A run that came to its end begins again: there is always something to kill.
    if ! kill -KILL "$pid" 2>/dev/null; then
        wait "$pid" || { cat "$work/broken.log"; echo "kill $kill: the run failed by itself"; exit 1; }
        done=$((done + 1))
        rm -rf "$work/broken"
        continue
    fi
    wait "$pid" 2>/dev/null || true
    if [[ $(steps) != "$before" ]]; then moved=$((moved + 1)); fi
    if compgen -G "$work/broken/checkpoints/.step-*" >/dev/null; then inside=$((inside + 1)); fi
    if [[ -d $work/broken/checkpoints ]] && compgen -G "$work/broken/checkpoints/step-*" >/dev/null; then
        "$uniscale" checkpoint verify "$work/broken" >"$work/verify.log" || { cat "$work/verify.log"; echo "kill $kill: a checkpoint that says good is not"; exit 1; }
    fi
done
"$uniscale" train "$config" --ranks "$ranks" --resume --set "run_directory=$work/broken" >"$work/broken.log" 2>&1 \
    || { cat "$work/broken.log"; exit 1; }
"$uniscale" checkpoint diff "$work/unbroken" "$work/broken"
echo "$kills kills ($moved of runs that had done steps since the kill before, $inside inside a save, $done runs had ended before): the weights and the optimizer's state are those of the unbroken run"
