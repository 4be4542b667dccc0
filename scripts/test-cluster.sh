#!/usr/bin/env bash
# Eight hosts on this machine: network, mount and UTS namespaces with an address, a /tmp and a /dev/shm of their own, links to one switch, and one shared folder.
# Ranks run across them by `uniscale launch --hosts` under Open MPI, and the cluster is broken as clusters are: a host dies, a link is cut, a link is slow, the
# shared disk is full, a clock is wrong, a clock jumps; then hosts that others start, as Kubernetes does. Each ends as docs/how-to/operations.md promises. Root, Open MPI, g++; 10 minutes; not part of CI.
# usage: scripts/test-cluster.sh [PART ...]   of: host link slow disk clock pods
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
((EUID == 0)) || { echo "test-cluster: run it as root: it makes namespaces"; exit 2; }
if [[ -z ${UNISCALE_TEST_CLUSTER:-} ]]; then
    "$root/scripts/uniscale" --version >/dev/null
    UNISCALE_TEST_CLUSTER=$(mktemp -d /var/tmp/uniscale-cluster-XXXXXX) exec unshare --mount --net "$0" "$@"
fi
work=$UNISCALE_TEST_CLUSTER
shared=$work/shared
export PATH=$root/src/Uniscale.Cli/bin/Release/net10.0:$PATH
hosts=8
ranks=6
finish() {
    code=$?
    for ((i = 1; i <= hosts; i++)); do kill_host "n$i"; done
    if ((code != 0)); then
        tail -n 15 "$work"/*.log
        for run in "$shared"/*/launch; do [[ ! -e $run ]] || cp -r "$run" "$work/launch-$(basename "${run%/launch}")"; done
    fi
    umount "$shared" 2>/dev/null || true
    ((code == 0)) && rm -rf "$work" || echo "test-cluster: failed; the logs are in $work"
}
trap finish EXIT

# A clock that is set wrong: CLOCK_REALTIME plus the seconds in /tmp/clock of the host.
make_clock() {
    cat >"$work/clock.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static volatile long *ahead;
__attribute__((constructor)) static void begin(void) {
    int file = open("/tmp/clock", O_RDONLY);
    void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED) ahead = map;
    if (file >= 0) close(file);
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
    return result;
}
C
    gcc -shared -fPIC -O1 -o "$work/clock.so" "$work/clock.c" -ldl
}

set_clock() { # HOST SECONDS
    python3 -c 'import struct, sys; f = open(sys.argv[1], "r+b", buffering=0); f.write(struct.pack("l", int(sys.argv[2])))' \
        "/proc/${process[$1]}/root/tmp/clock" "$2"
}

declare -A process
start_host() { # NUMBER
    local name=n$1
    unshare --net --mount --uts bash -c "
        hostname $name
        mount -t tmpfs -o size=512m tmpfs /tmp
        mount -t tmpfs -o size=512m tmpfs /dev/shm
        head -c 8 /dev/zero >/tmp/clock
        ip link set lo up
        touch $work/up-$name
        exec sleep infinity" &
    process[$name]=$!
    disown
    until [[ -e $work/up-$name ]]; do sleep 0.05; done
    rm "$work/up-$name"
    # Its address stays when it comes back: others remember the card of a neighbour for a while.
    ip link add "e$1" type veth peer name eth0 address "02:00:00:00:00:0$1" netns "${process[$name]}"
    ip link set "e$1" master switch up
    nsenter --target "${process[$name]}" --net ip addr add "10.99.0.$1/24" dev eth0
    nsenter --target "${process[$name]}" --net ip link set eth0 up
    echo "${process[$name]}" >"$work/process-$name"
}

# All that runs on a host ends at once; its link goes first, so that nobody is told.
kill_host() { # HOST
    local place one
    [[ -n ${process[$1]:-} ]] || return 0
    ip link set "e${1#n}" down 2>/dev/null || true
    place=$(readlink "/proc/${process[$1]}/ns/net" 2>/dev/null) || return 0
    for one in /proc/[0-9]*; do
        if [[ $(readlink "$one/ns/net" 2>/dev/null) == "$place" ]]; then kill -9 "${one#/proc/}" 2>/dev/null || true; fi
    done
    rm -f "$work/process-$1"
    process[$1]=
    ip link delete "e${1#n}" 2>/dev/null || true
}

make_cluster() {
    ip link set lo up
    ip link add switch type bridge
    ip link set switch up
    cp /etc/hosts "$work/etc-hosts"
    for ((i = 1; i <= hosts; i++)); do
        echo "10.99.0.$i n$i" >>"$work/etc-hosts"
        echo "n$i slots=1" >>"$work/hosts"
    done
    mount --bind "$work/etc-hosts" /etc/hosts
    mkdir "$shared"
    mount -t tmpfs -o size=1g tmpfs "$shared"
    make_clock
    for ((i = 1; i <= hosts; i++)); do start_host "$i"; done
    cat >"$work/remote-shell" <<SHELL
#!/usr/bin/env bash
# Nothing listens there, so a host that is up refuses.
reached() { python3 -c 'import socket, sys; s = socket.socket(); s.settimeout(2); sys.exit(s.connect_ex((sys.argv[1], 22)) not in (0, 111))' "\$1"; }
while [[ \$1 == -* ]]; do shift; done
host=\$1
shift
if ! { [[ -e $work/process-\$host ]] && reached "\$host"; }; then
    echo "ssh: connect to host \$host port 22: No route to host" >&2
    exit 255
fi
exec nsenter --target "\$(cat $work/process-\$host)" --net --mount --uts env LD_PRELOAD=$work/clock.so bash -c "\$*"
SHELL
    chmod +x "$work/remote-shell"
}

on() { # HOST COMMAND ...
    nsenter --target "${process[$1]}" --net --mount --uts env LD_PRELOAD="$work/clock.so" OMPI_MCA_plm_rsh_agent="$work/remote-shell" "${@:2}"
}

make_run() {
    mkdir -p "$shared/raw"
    for ((i = 0; i < 40; i++)); do
        for ((line = 0; line < 40; line++)); do echo "The $((i * line % 7)) models of text $line learn $(((i + line) % 13)) words."; done >"$shared/raw/$i.txt"
    done
    uniscale data import "$shared/raw" --domain books --out "$shared/store"
    uniscale tokenizer train "$shared/store" --vocabulary 300 --out "$shared/t.model" --threads 1
    uniscale data tokenize "$shared/store" --tokenizer "$shared/t.model" --out "$shared/tokens" --workers 1
    cat >"$shared/job.yaml" <<YAML
model: { layers: 1, hidden: 32, heads: 2, context: 32 }
data:
  tokenizer: $shared/t.model
  sources: [{ name: books, domain: books, shards: ["$shared/tokens/books.train"] }]
parallel: { zero: { stage: 1 } }
batch: { global: 12 }
train: { steps: 200, threads: 1 }
checkpoint: { every: 20, files: node }
# Six ranks on few processors are not equally fast.
preflight: { slow_gemm: 0, slow_transfer: 0 }
logging: { peak_flops: 1G, tensor_board: false, every: 100 }
YAML
}

launch() { # RUN [OPTION ...]
    on n1 uniscale launch "$shared/job.yaml" -n $ranks --mpirun mpirun.openmpi --bind none --hosts "$work/hosts" --hang-seconds 10 \
        --set "run_directory=$shared/$1" "${@:2}" >"$work/$1.log" 2>&1
}

until_true() { # SECONDS COMMAND ...
    for ((i = 0; i < $1 * 5; i++)); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "test-cluster: after $1 s still not: ${*:2}"
    return 1
}

steps() { grep -c '"kind":"step"' "$shared/$1/metrics.jsonl" 2>/dev/null || true; }
is_at() { (($(steps "$1") + 0 >= $2)); }
losses() { sed -n 's/^{"kind":"step".*"step":\([0-9]*\),.*"loss":\([^,]*\),.*/\1 \2/p' "$shared/$1/metrics.jsonl"; }
weights() { (cd "$shared/$1/checkpoints/step-00000200" && sha256sum node-*.safetensors); }
is_as_whole() {
    (($(losses "$1" | wc -l) == 200))
    diff <(losses whole) <(losses "$1")
    diff <(weights whole) <(weights "$1")
}
nobody_is_left() { ! pgrep -f "^[^ ]*uniscale train $shared/job.yaml" >/dev/null; }

host() {
    echo "test-cluster: host n3 dies"
    launch host --max-restarts 3 --host-faults 1 &
    job=$!
    until_true 120 is_at host 60
    kill_host n3
    wait "$job"
    grep -E "n3.*(has not run|is gone|silent|cannot be reached)" "$work/host.log"
    is_as_whole host
    start_host 3
}

link() {
    echo "test-cluster: the link of n4 is cut"
    launch link --max-restarts 3 --host-faults 1 &
    job=$!
    until_true 120 is_at link 60
    ip link set e4 down
    wait "$job"
    grep "n4" "$work/link.log"
    is_as_whole link
    # What ran on the other side of the cut must not outlive its job.
    until_true 60 nobody_is_left
    ip link set e4 up
}

slow() {
    echo "test-cluster: the link of n5 is slow"
    tc qdisc add dev e5 root tbf rate 100mbit burst 64kbit latency 100ms
    launch slow --max-restarts 3 --set preflight.slow_transfer=0.3
    tc qdisc delete dev e5 root
    grep "the preflight refuses n5" "$work/slow.log"
    is_as_whole slow
}

disk() {
    echo "test-cluster: the shared disk is full for a while"
    launch disk &
    job=$!
    until_true 120 is_at disk 60
    dd if=/dev/zero of="$shared/fill" bs=1M 2>/dev/null || true
    truncate -s -32K "$shared/fill"
    until_true 60 grep "make room there" "$work/disk.log"
    rm "$shared/fill"
    wait "$job"
    grep -m 1 "make room there" "$work/disk.log"
    is_as_whole disk
}

clock() {
    echo "test-cluster: the clock of n6 is an hour ahead"
    set_clock n6 3600
    code=0
    launch clock || code=$?
    ((code == 2))
    grep "The clocks of the hosts are more than 20 s apart: n6 is 3,600 s ahead" "$work/clock.log"
    set_clock n6 0

    echo "test-cluster: clocks jump while it trains"
    launch jump &
    job=$!
    until_true 120 is_at jump 60
    set_clock n6 3600
    set_clock n2 -3600
    wait "$job"
    ! grep -E "Starting again|stood still" "$work/jump.log"
    is_as_whole jump
    set_clock n6 0
    set_clock n2 0
}

pods() {
    local mpirun start starts
    for mpirun in mpirun.openmpi mpirun.mpich; do
        echo "test-cluster: hosts that others start, as the pods of a PyTorchJob, under $mpirun; no remote shell"
        rm -rf "${shared:?}/pods"
        starts=()
        for ((i = 1; i <= ranks; i++)); do
            nsenter --target "${process[n$i]}" --net --mount --uts \
                env MASTER_ADDR=n1 MASTER_PORT=23456 RANK=$((i - 1)) WORLD_SIZE=$ranks \
                uniscale launch "$shared/job.yaml" -n $ranks --mpirun $mpirun --bind none --set "run_directory=$shared/pods" >"$work/pods-$i.log" 2>&1 &
            starts+=($!)
        done
        for start in "${starts[@]}"; do wait "$start"; done
        grep "$ranks nodes have met" "$work/pods-1.log"
        is_as_whole pods
    done
}

make_cluster
make_run >"$work/make.log" 2>&1
echo "test-cluster: an unbroken run of $ranks ranks on as many hosts"
launch whole
for part in "${@:-host link slow disk clock pods}"; do for one in $part; do "$one"; done; done
echo "test-cluster: losses and weights of all runs are bit-identical to those of the unbroken one"
