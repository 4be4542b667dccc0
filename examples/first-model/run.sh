#!/usr/bin/env bash
# From a folder of text to a model that writes: import, a tokenizer, shards, training, a resume on two ranks, a paragraph.
#
#   examples/first-model/run.sh [FOLDER_OF_TEXT]     default: this repository's documentation
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
text=$(realpath "${1:-$root/docs}")
uniscale=${UNISCALE:-$root/scripts/uniscale}
cd "${WORK:-$here}"
rm -rf work runs
mkdir work
cp "$here/run.yaml" work/

"$uniscale" data import "$text" --domain text --out work/store
"$uniscale" tokenizer train work/store --vocabulary 1024 --out work/tokenizer.model
"$uniscale" data tokenize work/store --tokenizer work/tokenizer.model --out work/tokens --validation 0.05
"$uniscale" train work/run.yaml --stop-after 100
"$uniscale" train work/run.yaml --ranks 2 --resume
"$uniscale" generate runs/first-model --prompt "A checkpoint" --tokens 40 --temperature 0.7
