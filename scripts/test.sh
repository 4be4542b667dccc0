#!/usr/bin/env bash
# Builds everything, runs every test project and closes with a line 'N passed, N failed'.
# With arguments: only the test projects whose name contains one of them.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
scripts/setup.sh || exit 1
# The compiler too is many short processes: code that counts its own branches for a later, better compilation costs it a third of the build.
export DOTNET_TieredPGO=${DOTNET_TieredPGO:-0}
echo "== building"
mkdir -p .build
# One compiler for all projects halves the time. Where servers are not wanted (UseSharedCompilation=false) it ends with the build.
dotnet build Uniscale.sln --configuration Release --nologo --verbosity quiet -p:UseSharedCompilation=true >.build/build.log 2>&1 || { cat .build/build.log; echo "the build failed"; exit 1; }
[[ ${UseSharedCompilation:-} != false ]] || dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1

# What each run of a project counted, a line each: passed failed skipped.
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

# run_project NAME [OPTION...]: a test project, with options of the test framework. It prints nothing before its end, so that two may run at once.
run_project() {
    local name=$1 log status total=0 bad=0 skip=0
    shift
    log=$(mktemp)
    "tests/$name/bin/Release/net10.0/$name" --ansi off "$@" >"$log" 2>&1
    status=$?
    local summary
    summary=$(grep -E '^ *(total|failed|succeeded|skipped): [0-9]+' "$log" | tail -4)
    total=$(awk '/total:/ {print $2}' <<<"$summary"); bad=$(awk '/failed:/ {print $2}' <<<"$summary"); skip=$(awk '/skipped:/ {print $2}' <<<"$summary")
    total=${total:-0} bad=${bad:-0} skip=${skip:-0}
    if ((status != 0 && status != 8 && bad == 0)); then bad=1 total=$((total + 1)); fi
    echo "== $name${UNISCALE_ISA:+ on $UNISCALE_ISA}"
    if ((bad > 0)); then cat "$log"; else tail -n 1 "$log"; fi
    echo "$((total - bad - skip)) $bad $skip" >>"$counts"
    rm -f "$log"
}

# The kernels again, as each lesser processor than this one runs them; scripts/test-isa.sh runs everything so.
run_on_lesser_processors() {
    local level
    [[ -z ${UNISCALE_ISA:-} ]] || return
    for level in $(scripts/isa.sh --below); do
        UNISCALE_ISA=$level run_project Uniscale.Kernels.Tests
    done
}

# run_projects NAME...: one after the other.
run_projects() {
    local name
    for name in "$@"; do
        run_project "$name"
        [[ $name == Uniscale.Kernels.Tests ]] && run_on_lesser_processors
    done
}

# The tests of the command line, of checkpoints and of launching mostly wait for processes that end, hang or start again: they run
# beside all others.
beside=() others=()
for project in tests/*.Tests/*.csproj; do
    name=$(basename "$project" .csproj)
    if (($# > 0)); then
        match=0
        for want in "$@"; do [[ $name == *"$want"* ]] && match=1; done
        ((match)) || continue
    fi
    if [[ $name =~ ^Uniscale\.(Checkpoints|Cli|Launching)\.Tests$ ]]; then beside+=("$name"); else others+=("$name"); fi
done
run_projects "${beside[@]}" &
run_projects "${others[@]}"
wait

read -r passed failed skipped < <(awk '{p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0}' "$counts")
((skipped > 0)) && echo "$skipped skipped"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
