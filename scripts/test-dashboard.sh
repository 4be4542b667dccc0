#!/usr/bin/env bash
# The dashboard in Debian's chromium over real runs (keyboard, contrast, console errors, live curves), Debian's Prometheus scraping a real run, and promtool on the
# rules and names; then 500 runs and one of a million steps, with figures. Needs root or sudo to install chromium and prometheus.
# SCREENSHOTS=FOLDER keeps pictures of the pages, DOCS=1 makes those of the documentation anew.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
command -v chromium >/dev/null && command -v promtool >/dev/null || {
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium prometheus >&2
}
uniscale=$root/scripts/uniscale
"$uniscale" --version >/dev/null
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT

echo "== rules"
promtool check rules "$root/configs/monitoring/prometheus-rules.yaml"
promtool test rules "$root/configs/monitoring/prometheus-rules.test.yaml"

echo "== Prometheus scrapes a run"
mkdir "$work/raw"
cp "$root"/docs/reference/*.md "$root"/docs/how-to/*.md "$work/raw"
{
    "$uniscale" data import "$work/raw" --domain docs --out "$work/store"
    "$uniscale" tokenizer train "$work/store" --vocabulary 600 --out "$work/t.model"
    "$uniscale" data tokenize "$work/store" --tokenizer "$work/t.model" --out "$work/tokens"
} >"$work/data.log" 2>&1
cat >"$work/run.yaml" <<YAML
run_directory: $work/run
model: { layers: 2, hidden: 32, heads: 2, context: 32 }
data:
  tokenizer: $work/t.model
  sources: [{ name: docs, domain: docs, shards: [$work/tokens/docs.train] }]
batch: { global: 8 }
train: { steps: 100000, threads: 1 }
checkpoint: { every: 100 }
logging: { peak_flops: 10G, every: 1000, tensor_board: false }
faults: { enabled: true, inject: [{ kind: nan-gradient, step: 2000 }] }
telemetry: { prometheus: 19464 }
YAML
cat >"$work/prometheus.yaml" <<YAML
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [$root/configs/monitoring/prometheus-rules.yaml]
scrape_configs: [{ job_name: uniscale, static_configs: [{ targets: ["localhost:19464"] }] }]
YAML
# The bad step comes late enough for Prometheus to have seen none: only then does its number increase.
"$uniscale" train "$work/run.yaml" >"$work/train.log" 2>&1 &
pids+=($!)
prometheus --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/tsdb" --web.listen-address=127.0.0.1:19090 >"$work/prometheus.log" 2>&1 &
pids+=($!)
query() { curl -s --get http://127.0.0.1:19090/api/v1/query --data-urlencode "query=$1"; }
for ((i = 0; i < 120; i++)); do
    [[ $(query 'uniscale_step > 2100') == *'"instance":"localhost:19464"'* ]] && break
    sleep 1
done
for expression in uniscale_loss uniscale_mfu_ratio uniscale_tokens_total uniscale_last_save_timestamp_seconds 'rate(uniscale_step_duration_seconds_count[10s]) > 0' 'uniscale_nonfinite_steps_total == 1' \
    'ALERTS{alertname="UniscaleLossNotFinite",alertstate="firing"}'; do
    for ((i = 0; i < 30; i++)); do
        [[ $(query "$expression") == *'"value"'* ]] && continue 2
        sleep 1
    done
    echo "test-dashboard: Prometheus has nothing of: $expression"
    tail -n 5 "$work/train.log" "$work/prometheus.log"
    exit 1
done
curl -s http://localhost:19464/metrics | promtool check metrics
echo "all names are there, and the alert on the NaN fires"
# The browser's figures are of a machine that does nothing else.
kill "${pids[@]}"
wait "${pids[@]}" 2>/dev/null || true
pids=()

echo "== chromium"
dotnet build "$root/tests/Uniscale.Dashboard.Browser" --configuration Release --nologo --verbosity quiet
screenshots=${SCREENSHOTS:-}
if [[ -n ${DOCS:-} ]]; then screenshots=${screenshots:-$work/pictures}; fi
if [[ -n $screenshots ]]; then mkdir -p "$screenshots"; fi
UNISCALE_SCREENSHOTS=$screenshots UNISCALE_FIGURES=$work/figures "$root/tests/Uniscale.Dashboard.Browser/bin/Release/net10.0/Uniscale.Dashboard.Browser" --ansi off
cat "$work/figures"
if [[ -n ${DOCS:-} ]]; then
    picture() { cp "$screenshots/dashboard-$1.png" "$root/docs/images/dashboard-$2.png"; }
    picture live-top live
    picture page-plans-file-plans-2-internlm-104b-json plan
fi
