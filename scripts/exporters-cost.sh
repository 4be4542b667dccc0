#!/usr/bin/env bash
# CPU seconds of a run's threads with all exporters on (Prometheus, scraped every INTERVAL seconds, 10 if not set; OTLP as often, to a
# collector that is not there; a notice) and with none, by the
# kernel's account of each thread: exporters-cost.sh [SECONDS]. Fails where the exporters' own threads take 0.5% of the run's or more.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${1:-60}
interval=${INTERVAL:-10}
uniscale=${UNISCALE:-$root/scripts/uniscale}
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT

mkdir "$work/raw"
cp "$root"/docs/reference/*.md "$work/raw"
{
    "$uniscale" data import "$work/raw" --domain docs --out "$work/store"
    "$uniscale" tokenizer train "$work/store" --vocabulary 600 --out "$work/t.model"
    "$uniscale" data tokenize "$work/store" --tokenizer "$work/t.model" --out "$work/tokens"
} >"$work/data.log" 2>&1 || { cat "$work/data.log" >&2; exit 1; }

# Prints: NAME CPU_SECONDS of each name of a thread, and the steps done.
measure() {
    local name=$1
    shift
    cat >"$work/$name.yaml" <<YAML
run_directory: $work/$name
model: { layers: 4, hidden: 128, heads: 4, context: 128 }
data:
  tokenizer: $work/t.model
  sources: [{ name: docs, domain: docs, shards: [$work/tokens/docs.train] }]
batch: { global: 8 }
train: { steps: 1000000, threads: 1 }
logging: { every: 1000, tensor_board: false }
YAML
    "$uniscale" train "$work/$name.yaml" --ranks 1 "$@" >"$work/$name.log" 2>&1 &
    local pid=$! file
    pids+=("$pid")
    for ((i = 0; i < 120; i++)); do
        [[ -s $work/$name/metrics.jsonl ]] && break
        kill -0 "$pid" || { cat "$work/$name.log" >&2; exit 1; }
        sleep 1
    done
    account "$pid" >"$work/before"
    local steps
    steps=$(wc -l <"$work/$name/metrics.jsonl")
    for ((i = 0; i < seconds; i++)); do
        [[ $name == none ]] || ((i % interval)) || curl -sf -o "$work/page" http://localhost:19465/metrics || echo "scrape failed" >&2
        sleep 1
    done
    account "$pid" >"$work/after"
    echo "== exporters: $name, $(($(wc -l <"$work/$name/metrics.jsonl") - steps)) steps"
    # A thread that ended in between is lost, one that began counts from nothing.
    awk -F '\t' 'NR == FNR { was[$1] = $3; next } { spent[$2] += ($3 - was[$1]) / 1e9; all += ($3 - was[$1]) / 1e9 }
        END { for (name in spent) if (spent[name] >= 0.0005) printf "%-16s %9.3f s %8.3f%%\n", name, spent[name], 100 * spent[name] / all
              printf "%-16s %9.3f s\n", "all", all
              own = spent["exporters"] + spent["notices"] + spent["OpenTelemetry-P"]
              printf "%-16s %9.3f s %8.3f%%\n", "exporters own", own, 100 * own / all
              exit own >= 0.005 * all }' "$work/before" "$work/after" | sort
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# THREAD, its name, nanoseconds on a processor.
account() {
    local task
    for task in /proc/"$1"/task/*; do
        printf '%s\t%s\t%s\n' "${task##*/}" "$(<"$task/comm")" "$(cut -d ' ' -f 1 "$task/schedstat")" 2>/dev/null || true
    done
}

measure none
measure all --set telemetry.prometheus=19465 --set telemetry.otlp=http://127.0.0.1:9 --set telemetry.otlp_every="$interval" --set 'telemetry.notify.command=cat >/dev/null'
