#!/usr/bin/env bash
# What: PR_SET_PDEATHSIG (setpriv --pdeathsig) is read as "one signal when the parent process dies". Linux sends it when the parent THREAD
# ends, and again each time that the thread the child was handed on to ends: a parent with four threads may send four. MPICH's mpiexec takes
# the first SIGINT as "end in order" and a second as "force abort", so ranks that were saving are killed. With a parent of one thread they save.
#
# Why it matters: launchers are programs of a managed runtime with tens of threads. Tied to its mpiexec by a parent-death signal, a launcher
# that is killed may lose the checkpoint that the signal was to save: now and then, as signals that wait are merged and threads end in any order.
#
# What follows: a launcher's death is told to mpiexec by something that happens once, as the end of a pipe that only the launcher holds, after
# which a small process of one thread sends one SIGINT. A signal with no second meaning (SIGKILL, Open MPI's SIGUSR1) may be sent this way.
#
# Here the parent's threads end one after another, so that the count is the same every time. No signal is sent by this script.
# Needs Debian 12, bash, gcc, util-linux; installs mpich as root. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

version=4.0.2-3+b1
installed() { dpkg-query -W -f='${Version}' mpich 2>/dev/null; }
[ "$(installed)" = "$version" ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "mpich=$version"; } >/dev/null 2>&1 ||
    { echo "Could not be tried: Debian's mpich $version was not installed."; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# parent THREADS COMMAND...: the first thread starts the command; then the threads end, one every 300 ms.
cat >parent.c <<'C'
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static void *end_at(void *turn) { sleep(2); usleep(300000 * (long)turn); return NULL; }
int main(int count, char **words)
{
    pthread_t thread;
    for (long turn = 1; turn < atoi(words[1]); turn++) pthread_create(&thread, NULL, end_at, (void *)turn);
    if (fork() == 0) { execvp(words[2], words + 2); _exit(127); }
    sleep(2);
    pthread_exit(NULL);
}
C
# child FILE: how many signals come within five seconds.
cat >child.c <<'C'
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static volatile sig_atomic_t signals;
static void add(int signal) { signals++; }
int main(int count, char **words)
{
    signal(SIGINT, add);
    for (time_t end = time(NULL) + 5; time(NULL) < end; usleep(50000)) { }
    FILE *file = fopen(words[1], "w");
    fprintf(file, "%d\n", (int)signals);
    return fclose(file);
}
C
# A rank: asked to end, it saves for two seconds.
cat >rank.sh <<'SH'
trap 'sleep 2; echo saved >>"$1"; exit 0' INT
for tenth in $(seq 80); do sleep 0.1; done
SH
gcc -O2 -pthread parent.c -o parent && gcc -O2 child.c -o child
echo "Linux $(uname -r | sed 's/[^0-9.].*//'), $(setpriv --version), mpich $(installed)"

# observe THREADS: sets signals and saved
observe() {
    ./parent "$1" setpriv --pdeathsig INT ./child signals.txt
    : >saved.txt
    ./parent "$1" setpriv --pdeathsig INT mpirun.mpich -n 2 sh rank.sh "$folder/saved.txt" >mpirun.txt 2>&1 </dev/null
    sleep 5
    signals=$(cat signals.txt) saved=$(grep -c saved saved.txt || true)
    said=$(grep -m 1 -o 'Ctrl-C caught.*' mpirun.txt || echo 'no abort')
    echo "Parent of $1 thread(s): $signals signal(s); ranks that saved: $saved of 2; mpiexec: $said"
}
observe 1
[ "$signals $saved" = "1 2" ] || { echo "Changed: with a parent of one thread the ranks do not save either."; exit 1; }
observe 2
two="$signals $saved"
observe 4
echo "Good guess: one signal when the parent dies, however many threads it has, and both ranks save."
if [ "$two" = "2 0" ] && [ "$signals $saved" = "4 0" ]; then
    echo "Seen: one signal for each thread of the parent, and MPICH kills the ranks at the second."
    exit 0
fi
echo "Changed: the signals are no longer one for each thread, or MPICH lets ranks save after the second."
exit 1
