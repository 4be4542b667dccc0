#!/usr/bin/env bash
# A job on three hosts of which one fails and one goes away: hosts are left out, and an elastic job goes on with fewer replicas, on the losses of an
# unbroken run. Then hosts of which one has a slow GEMM and one a wrong one: the preflight leaves both out, and the losses are the same bits. A "host" is a UTS namespace of this machine, in which mpirun's remote shell starts its daemon. Open MPI, root. Not part of CI.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z ${UNISCALE_TEST_HOSTS:-} ]]; then
    "$root/scripts/uniscale" --version >/dev/null
    work=$(mktemp -d /tmp/uniscale-hosts-XXXXXX)
    # A mount namespace of its own: /etc/hosts is another one in it, and mpirun finds hosts that are not this one.
    UNISCALE_TEST_HOSTS=$work unshare --mount "$0" && rm -rf "$work" && exit
    echo "test-hosts: failed; everything is in $work"
    exit 1
fi
work=$UNISCALE_TEST_HOSTS
unset UNISCALE_TEST_HOSTS
export PATH=$root/src/Uniscale.Cli/bin/Release/net10.0:$PATH
cp /etc/hosts "$work/etc-hosts"
for i in 1 2 3; do
    echo "10.99.0.$i n$i" >>"$work/etc-hosts"
    echo "n$i slots=2" >>"$work/hosts"
done
for i in 1 2 3 4; do echo "n$i slots=2"; done >"$work/more-hosts"
echo "10.99.0.4 n4" >>"$work/etc-hosts"
mount --bind "$work/etc-hosts" /etc/hosts
cat >"$work/remote-shell" <<SHELL
#!/usr/bin/env bash
while [[ \$1 == -* ]]; do shift; done
host=\$1
shift
[[ ! -e $work/down-\$host ]] || { echo "ssh: connect to host \$host port 22: No route to host" >&2; exit 255; }
exec unshare --uts bash -c "hostname \$host; \$*"
SHELL
chmod +x "$work/remote-shell"
export OMPI_MCA_plm_rsh_agent=$work/remote-shell

(
    for ((i = 0; i < 40; i++)); do
        mkdir -p "$work/raw"
        for ((line = 0; line < 40; line++)); do echo "The $((i * line % 7)) models of text $line learn $(((i + line) % 13)) words."; done >"$work/raw/$i.txt"
    done
    uniscale data import "$work/raw" --domain books --out "$work/store"
    uniscale tokenizer train "$work/store" --vocabulary 300 --out "$work/t.model" --threads 1
    uniscale data tokenize "$work/store" --tokenizer "$work/t.model" --out "$work/tokens" --workers 1
) >"$work/make.log" 2>&1
cat >"$work/job.yaml" <<YAML
model: { layers: 1, hidden: 32, heads: 2, context: 32 }
data:
  tokenizer: $work/t.model
  sources: [{ name: books, domain: books, shards: ["$work/tokens/books.train"] }]
parallel: { zero: { stage: 1 } }
batch: { global: 8 }
train: { steps: 300, threads: 1 }
checkpoint: { every: 20 }
# Four ranks on few processors are not equally fast; what is planted below is slower by far.
preflight: { slow_gemm: 0.2, slow_transfer: 0 }
logging: { peak_flops: 1G, tensor_board: false, every: 100 }
YAML

launch() { uniscale launch "$work/job.yaml" -n 4 --mpirun mpirun.openmpi --bind none --set "run_directory=$work/$1" "${@:2}" >"$work/$1.log" 2>&1; }
steps() { grep -c '"kind":"step"' "$work/broken/metrics.jsonl" 2>/dev/null || true; }
kill_rank_after() { # STEPS RANK
    for ((i = 0; i < 1800; i++)); do
        (($(steps) + 0 > $1)) && break
        sleep 0.1
    done
    for process in $(pgrep -f "^[^ ]*uniscale train $work/job.yaml"); do # not its guard
        if tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2"; then kill -9 "$process"; fi
    done
}

launch whole --hosts "$work/hosts"
launch broken --hosts "$work/hosts" --elastic --max-restarts 9 &
job=$!
kill_rank_after 45 3  # on n2
kill_rank_after 90 2  # on n2: left out, n3 takes its place
sleep 3
kill_rank_after 140 0 # on n1, its first fault: it stays
touch "$work/down-n3" # and n3 is gone when the job starts again
wait "$job"

rm "$work/down-n3"
planted='[{ kind: slow-gemm, seconds: 0.1, host: n1, again: true }, { kind: wrong-gemm, host: n2, again: true }]'
launch planted --max-restarts 2 --hosts "$work/more-hosts" --set faults.enabled=true --set "faults.inject=$planted"
grep "the preflight refuses" "$work/planted.log"
grep -q "n2: rank 2 multiplies matrices wrongly" "$work/planted.log"
grep -q "n1: rank [01] multiplies at" "$work/planted.log"
[[ $(tr '\n' ' ' <"$work/planted/launch/hosts") == "n3 slots=2 n4 slots=2 " ]]

grep -E "failed first|cannot be reached" "$work/broken.log"
grep -q "Host n2 has failed 2 times and is left out" "$work/broken.log"
grep -q "going on with 2 of 4 replicas (2 of 4 ranks)" "$work/broken.log"
[[ $(cat "$work/broken/launch/hosts") == "n1 slots=2" ]]
python3 - "$work" <<'CHECK'
import json, sys
def losses(run):
    return {r["step"]: r["loss"] for r in map(json.loads, open(f"{sys.argv[1]}/{run}/metrics.jsonl")) if r["kind"] == "step"}
whole, broken = losses("whole"), losses("broken")
assert len(whole) == 300 and whole.keys() == broken.keys()
assert losses("planted") == whole
worst = max(abs(broken[s] / whole[s] - 1) for s in whole)
assert worst < 1e-5, worst
print(f"test-hosts: 300 losses, equal to those of the unbroken run to {worst:.1e}; without the hosts that the preflight refuses, bit-identical")
CHECK
