#!/usr/bin/env bash
# Makes a folder that runs on another machine: the program with its .NET, what its native libraries need, configurations, and scripts/check-gpu.sh.
#
#   scripts/publish.sh [--libtorch] [--no-archive] [FOLDER]     default: .build/uniscale-linux-x64
#
# Without --libtorch there is no libtorch in it: UNISCALE_LIBTORCH names one there, e.g. site-packages/torch/lib. With it the CPU build of the packages is, 0.5 GB
# more. Packs the folder beside itself, unless --no-archive says otherwise.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
backend=none archive=1
while [[ ${1:-} == --* ]]; do
    case $1 in
        --libtorch) backend=libtorch-cpu-linux-x64 ;;
        --no-archive) archive=0 ;;
        *) echo "publish.sh: there is no option $1" >&2; exit 2 ;;
    esac
    shift
done
folder=${1:-$root/.build/uniscale-linux-x64}
rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/lib-where-missing" "$folder/scripts"
dotnet publish "$root/src/Uniscale.Cli" --configuration Release --runtime linux-x64 --self-contained --artifacts-path "$root/.build/publish" \
    --output "$folder/program" -p:TorchSharpBackend=$backend -p:DebugType=none -p:PublishDocumentationFiles=false -p:PublishReferencesDocumentationFiles=false \
    --nologo --verbosity quiet
rm -f "$folder"/program/*.xml "$folder"/program/*.pdb

# What the native libraries need of this machine and another may lack. One libgomp serves a process, so theirs comes first.
for library in "$folder"/program/libuniscale_*.so; do ldd "$library"; done | awk '$2 == "=>" { print $1, $3 }' | sort -u | while read -r name path; do
    case $name in
        libdnnl* | libsentencepiece* | libOpenCL* | libprotobuf*) cp -L "$path" "$folder/lib/$name" ;;
        libgomp*) cp -L "$path" "$folder/lib-where-missing/$name" ;;
    esac
done
strip --strip-unneeded "$folder"/lib/*.so* "$folder"/lib-where-missing/*.so*

cc -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared "$root/src/Uniscale.Native/diagnostics/cuda_waits.c" -o "$folder/lib/libcuda_waits.so"
cp -r "$root/configs" "$folder/configs"
cp "$root/LICENSE" "$folder/"
cp "$root/scripts/check-gpu.sh" "$folder/scripts/"
cat >"$folder/scripts/uniscale" <<'RUN'
#!/usr/bin/env bash
# Runs the published program; UNISCALE_LIBTORCH names the folder of a libtorch, where there is none beside the program.
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
libraries=$here/lib
known=$(/sbin/ldconfig -p 2>/dev/null)
[[ $known == *libgomp.so.1\ * ]] || libraries=$libraries:$here/lib-where-missing
# Without it .NET ends the process at the first digest.
if [[ -n $known && $known != *libssl.so* && ${1:-} != doctor ]]; then
    echo "uniscale: OpenSSL is missing, which .NET needs: apt-get install libssl3 (or what brings libssl.so.3 here)" >&2
    exit 2
fi
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$libraries
exec "$here/program/uniscale" "$@"
RUN
chmod +x "$folder/scripts/uniscale"
if ((archive)); then
    tar --create --xz --file "$folder.tar.xz" --directory "$(dirname "$folder")" "$(basename "$folder")"
    echo "$folder: $(du -sm "$folder" | cut -f1) MiB, packed $(($(stat -c %s "$folder.tar.xz") / 1048576)) MiB"
else
    echo "$folder: $(du -sm "$folder" | cut -f1) MiB"
fi
