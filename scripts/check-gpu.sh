#!/usr/bin/env bash
# Everything that a machine with GPUs can show of Uniscale in under 8 minutes: from the repository, or from the folder that scripts/publish.sh makes, where nothing
# else is installed than the driver and a libtorch with CUDA.
#
#   scripts/check-gpu.sh --libtorch /path/to/site-packages/torch/lib
#     --peak FLOPS    bf16 peak of one device, for MFU; default: by the name that nvidia-smi tells
#     --ranks N       devices to use; default: all
#     --device cpu    the same on the CPU, which shows that the script itself works
#     --keep FOLDER   leaves runs and logs there
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
device=cuda ranks=0 peak='' work=''
while (($# > 0)); do
    (($# > 1)) || { echo "check-gpu: $1 wants a value; see the head of $0" >&2; exit 2; }
    case $1 in
        --device) device=$2 ;;
        --libtorch) export UNISCALE_LIBTORCH=$2 ;;
        --ranks) ranks=$2 ;;
        --peak) peak=$2 ;;
        --keep) work=$2 ;;
        *) echo "check-gpu: unknown argument '$1'; see the head of $0" >&2; exit 2 ;;
    esac
    shift 2
done
[[ $device == cuda || $device == cpu ]] || { echo "check-gpu: --device is cuda or cpu, not '$device'" >&2; exit 2; }
if [[ -z $work ]]; then work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT; else mkdir -p "$work"; fi
work=$(cd "$work" && pwd)

if [[ $device == cuda ]]; then
    command -v nvidia-smi >/dev/null || { echo "check-gpu: there is no nvidia-smi here: install NVIDIA's driver, or try --device cpu" >&2; exit 2; }
    names=$(nvidia-smi --query-gpu=name --format=csv,noheader)
    ((ranks > 0)) || ranks=$(wc -l <<<"$names")
    # Dense bf16 products with sums in fp32, as the makers give them.
    [[ -n $peak ]] || case $names in
        *B200*) peak=2250T ;; *GH200* | *H200* | *H100*SXM* | *"H100 80GB HBM3"*) peak=989T ;; *H100*) peak=756T ;; *A100*) peak=312T ;; *L40S*) peak=362T ;;
        *L4*) peak=121T ;; *A10*) peak=125T ;; *4090*) peak=165T ;; *3090*) peak=71T ;; *) peak=0 ;;
    esac
    model='layers: 4, hidden: 128, heads: 4, kv_heads: 2, context: 128'
    shape=(--set model.layers=12 --set model.hidden=768 --set model.heads=12 --set model.context=1024 --set model.vocabulary=32768
        --set batch.global=$((32 * ranks)) --set batch.micro=16)
else
    ((ranks > 0)) || ranks=2
    peak=${peak:-0}
    model='layers: 2, hidden: 64, heads: 4, kv_heads: 2, context: 64'
    shape=(--set batch.global=$((8 * ranks)) --set batch.micro=4)
fi

# UNISCALE_PROGRAM: another program than the one of this folder, for tests.
uniscale() { timeout 240 "${UNISCALE_PROGRAM:-$root/scripts/uniscale}" "$@"; }
passed=0 failed=0 log=$work/log.txt
begin=$SECONDS
# check NAME COMMAND...: its output goes to the log, and what it wrote to fd 3 beside the name.
check() {
    local name=$1 from=$SECONDS result=FAIL
    shift
    echo "== $name: $*" >>"$log"
    if "$@" >>"$log" 2>&1 3>"$work/said"; then result=ok passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '%-4s %-48s %4d s  %s\n' "$result" "$name" $((SECONDS - from)) "$(tr '\n' ' ' <"$work/said")"
}
# field RUN STEP NAME: a number of a step's record.
field() { sed -n "s/.*\"kind\":\"step\".*\"step\":$2,.*\"$3\":\([-0-9.eE+]*\).*/\1/p" "$work/$1/metrics.jsonl" | tail -1; }
losses() { sed -n 's/.*"kind":"step".*"step":\([0-9]*\),.*"loss":\([-0-9.eE+]*\),.*/\1 \2/p' "$work/$1/metrics.jsonl"; }
# train RUN DEVICE RANKS ...: the configuration of this check.
train() {
    local run=$1 on=$2 count=$3
    shift 3
    uniscale train "$work/run.yaml" --ranks "$count" --set run_directory="$work/$run" --set train.device="$on" "$@"
}

doctor() {
    uniscale doctor | tee "$work/doctor.txt"
    [[ $device == cpu ]] || { grep -E '^ok +CUDA' "$work/doctor.txt" | sed 's/^ok *//' >&3; grep -qE '^ok +CUDA .*flash attention runs' "$work/doctor.txt"; }
}

corpus() {
    mkdir -p "$work/text"
    for file in "$root"/configs/*.yaml "$root"/configs/*/*.yaml "$root"/configs/*.json "$root/LICENSE"; do cp "$file" "$work/text/$(basename "$file").txt"; done
    uniscale tokenizer train "$work/text" --vocabulary 512 --out "$work/tokenizer.model"
    uniscale data tokenize "$work"/text/*.txt --tokenizer "$work/tokenizer.model" --out "$work/tokens"
    cat >"$work/run.yaml" <<YAML
model: { $model }
data:
  tokenizer: $work/tokenizer.model
  sources: [{ name: text, shards: ["$work/tokens/text.train"] }]
batch: { global: 8, micro: 2 }
optimizer: { lr: 1e-3 }
train: { steps: 20, precision: bf16 }
checkpoint: { every: 0 }
logging: { every: 1, tensor_board: false, peak_flops: $peak }
YAML
}

# The families of models, and what is computed again, against the CPU.
models() {
    uniscale verify "$root/configs/tests/verify-tiny.yaml" --set train.device=$device --set train.precision="$1" --steps 5 --reference cpu \
        --layouts "dp1, dp1 gpt2, dp1 tied, dp1 mask, recompute-block, recompute-selective"
}

layouts() {
    local list="dp$ranks, dp$ranks zero1, dp$ranks zero2"
    ((ranks % 2 != 0)) || list+=", dp$((ranks / 2)) tp2, dp$((ranks / 2)) tp2 sp, dp$((ranks / 2)) pp2, dp$((ranks / 2)) pp2 zb, dp$((ranks / 2)) cp2, dp$((ranks / 2)) cp2 ulysses"
    ((ranks % 8 != 0)) || list+=", tp2 pp2 dp$((ranks / 4)) zero1"
    uniscale verify "$root/configs/tests/verify-tiny.yaml" --set train.device=$device --steps 5 --layouts "$list"
    tr ',' '\n' <<<"$list" | wc -l | sed 's/$/ layouts/' >&3
}

speed() {
    train speed $device "$ranks" "${shape[@]}" --set train.steps=30
    local used
    used=$(field speed 30 device_memory_bytes)
    printf '%.0f tokens/s, MFU %.3f%s\n' "$(field speed 30 tokens_per_second)" "$(field speed 30 mfu)" "${used:+, $((used >> 20)) MiB of the device in use}" >&3
}

flat() {
    train flat $device 1 --set train.steps=220
    local what=device_memory_bytes slack=1.001
    [[ $device == cuda ]] || what=memory_bytes slack=1.25
    local early late
    early=$(field flat 20 $what) late=$(field flat 220 $what)
    echo "$what $early at step 20, $late at step 220" >&3
    awk -v a="$early" -v b="$late" -v s=$slack 'BEGIN { exit !(a > 0 && b <= a * s) }'
}

# The host waits for the device in the one place where it asks for the step's decision: what libtorch waits for of itself grows by nothing from 10 steps to 20.
waits() {
    local count shim=$root/lib/libcuda_waits.so
    if [[ ! -e $shim ]]; then
        shim=$work/libcuda_waits.so
        cc -std=gnu11 -O2 -fPIC -shared "$root/src/Uniscale.Native/diagnostics/cuda_waits.c" -o "$shim"
    fi
    for count in 10 20; do
        LD_PRELOAD=$shim UNISCALE_CUDA_WAITS=$work/waits.$count train waits.$count $device 1 --set train.steps=$count
    done
    paste "$work/waits.10" "$work/waits.20" | awk '{ printf "%s %d, ", $1, $4 - $2; if ($4 != $2) bad = 1 } END { print "in 10 steps"; exit bad }' >&3
}

# Twelve steps on the CPU, and the same with the middle four on the device.
handover() {
    local fp32=(--set train.steps=12 --set train.precision=fp32)
    train whole cpu 1 "${fp32[@]}"
    train parts cpu 1 "${fp32[@]}" --stop-after 4
    train parts $device 1 "${fp32[@]}" --stop-after 8 --resume
    train parts cpu 1 "${fp32[@]}" --resume
    join <(losses whole | sort) <(losses parts | sort) | awk '{ d = $2 - $3; if (d < 0) d = -d; if (d / $2 > m) m = d / $2; n++ }
        END { printf "%d steps, losses apart by %.1e at most\n", n, m; exit !(n == 12 && m < 1e-4) }' >&3
}

profile() {
    train profile $device 1 "${shape[@]}" --set train.steps=8 --profile "$work/profile.json" | tee "$work/profile.txt"
    [[ -s $work/profile.json ]] && grep -q Linear "$work/profile.txt"
}

echo "Uniscale on ${names:-the CPU}: $ranks rank(s), libtorch ${UNISCALE_LIBTORCH:-beside the program}; log $log"
check "doctor" doctor
check "corpus" corpus
check "models in fp32 against the CPU" models fp32
check "models in bf16 against the CPU" models bf16
check "layouts against one rank" layouts
check "training speed, bf16" speed
check "memory is flat over 200 steps" flat
[[ $device == cpu ]] || check "libtorch's own waits for the device" waits
check "checkpoints to the CPU and back" handover
check "profile" profile
((failed == 0)) || { echo "The end of the log:"; tail -30 "$log"; }
echo "$((SECONDS - begin)) s"
echo "$passed passed, $failed failed"
((failed == 0))
