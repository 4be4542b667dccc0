#!/usr/bin/env bash
# Encoders against the libraries whose ids they give: Hugging Face's tokenizers (npm) and SentencePiece, on UNISCALE_CUTS texts (100000) a model.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${WORK:-$(mktemp -d)}
[[ -n ${WORK:-} ]] || trap 'rm -rf "$work"' EXIT

command -v node npm >/dev/null || { echo "node and npm are needed: apt-get install nodejs npm" >&2; exit 2; }
[[ -d $work/node_modules/tokenizers ]] || npm install --silent --no-save --prefix "$work" tokenizers@0.23.2
dotnet build "$root/tests/Uniscale.Corpus.Tests" -c Release -v quiet
TOKENIZERS_FOLDER=$work UNISCALE_CUTS=${UNISCALE_CUTS:-100000} "$root/tests/Uniscale.Corpus.Tests/bin/Release/net10.0/Uniscale.Corpus.Tests" \
  --filter-class '*ByteLevelTests' --filter-class '*BpeEncoderTests'
