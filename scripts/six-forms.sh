#!/usr/bin/env bash
# A store made of six forms at once, each written here as its source writes it (WET, MediaWiki dump, JSON lines, StackExchange, arXiv, an archive of HTML), with a damaged file among them: imported,
# stopped by kill -9 and imported again to the same bytes, cleaned, tokenized, trained on for 20 steps. Text: the documentation of this repository. Needs gzip, bzip2, zstd, tar.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uniscale=$root/scripts/uniscale
"$uniscale" --version >/dev/null
work=${WORK:-$(mktemp -d)}
[[ -n ${WORK:-} ]] || trap 'rm -rf "$work"' EXIT
raw=$work/raw
mkdir -p "$raw" "$work/papers" "$work/pages"
mapfile -t texts < <(find "$root/docs" -name '*.md' | sort)

escaped() { sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g' "$1" | tr -d '\000-\010\013\014\016-\037'; }

echo "== six forms"
number=0
for text in "${texts[@]}"; do
    number=$((number + 1))
    title=$(basename "$text" .md)
    case $((number % 6)) in
        0) # WET: a member of gzip for each record
            {
                printf 'WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://docs.example/%s\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Identified-Content-Language: eng\r\nContent-Length: %d\r\n\r\n' \
                    "$title" "$(stat -c %s "$text")"
                cat "$text"
                printf '\r\n\r\n'
            } | gzip >>"$raw/pages.warc.wet.gz" ;;
        1) # a page of a dump
            printf '<page><title>%s</title><ns>0</ns><id>%d</id><revision><timestamp>2026-01-01T00:00:00Z</timestamp><text>{{Infobox|x=1}}\n' "$title" "$number" >>"$work/dump.xml"
            escaped "$text" >>"$work/dump.xml"
            printf '</text></revision></page>\n' >>"$work/dump.xml" ;;
        2) # JSON lines
            printf '{"id": %d, "meta": {"url": "https://lines.example/%s", "language": "en"}, "score": 0.%d, "text": "%s"}\n' "$number" "$title" "$((number % 10))" \
                "$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' "$text" | awk '{ printf "%s\\n", $0 }')" >>"$work/lines" ;;
        3) # a question with an answer that stands before the next
            printf '<row Id="%d" PostTypeId="1" Score="%d" Title="%s" Body="&lt;p&gt;%s&lt;/p&gt;" />\n<row Id="%d" PostTypeId="2" ParentId="%d" Score="1" Body="&lt;p&gt;It is so.&lt;/p&gt;" />\n' \
                "$number" "$number" "$title" "$(escaped "$text" | sed 's/&/\&amp;/g')" "$((number + 10000))" "$number" >>"$work/rows" ;;
        4) # a paper
            printf '\\documentclass{article}\n\\title{%s}\n\\begin{document}\n%% a comment\n' "$title" >"$work/papers/main.tex"
            cat "$text" >>"$work/papers/main.tex"
            printf '\n\\bibliography{x}\n\\end{document}\n' >>"$work/papers/main.tex"
            tar -C "$work/papers" -czf "$raw/2601.$(printf %05d "$number").gz" main.tex ;;
        5) # a page in an archive
            { printf '<html><body><nav>menu</nav><form><pre>'; escaped "$text"; printf '</pre></form></body></html>'; } >"$work/pages/$title.html" ;;
    esac
done
{ printf '<mediawiki xml:lang="en"><siteinfo><namespaces><namespace key="6">File</namespace></namespaces></siteinfo>\n'; cat "$work/dump.xml"; printf '</mediawiki>\n'; } | bzip2 >"$raw/wiki-pages-articles.xml.bz2"
zstd -q "$work/lines" -o "$raw/part-0000"
{ printf '<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'; cat "$work/rows"; printf '</posts>\n'; } | xz >"$raw/Posts.xml.xz"
tar -C "$work/pages" -cf - . | zstd -q >"$raw/pages.tar.zst"
head -c -100 "$raw/pages.warc.wet.gz" >"$raw/cut.warc.wet.gz"

echo "== what they are"
"$uniscale" data import "$raw" --dry-run | grep -v '^  ' | tee "$work/forms"
for form in 'gzip wet' 'bzip2 wiki' 'zstd json lines' 'xz stackexchange' 'gzip arxiv' 'zstd tar'; do
    grep -q ": $form" "$work/forms" || { echo "six-forms: nothing was taken for $form"; exit 1; }
done

echo "== imported, with a worker and with two, and after a kill"
"$uniscale" data import "$raw" --domain docs --out "$work/one" --workers 1
"$uniscale" data import "$raw" --domain docs --out "$work/two" --workers 2 >/dev/null
"$uniscale" data import "$raw" --domain docs --out "$work/killed" >/dev/null 2>&1 &
pid=$!
sleep 0.6
kill -9 "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
"$uniscale" data import "$raw" --domain docs --out "$work/killed" >/dev/null
for other in two killed; do
    diff -r -x .lock "$work/one/docs" "$work/$other/docs" || { echo "six-forms: the store '$other' is another"; exit 1; }
done
cat "$work/one/docs/imported.tsv"

echo "== cleaned, tokenized, trained"
cat >"$work/clean.yaml" <<YAML
inputs: [$work/one]
output: $work/clean
steps:
  - language: { declared: true }
  - url: { drop: [docs.example/testing] }
  - length: { min_characters: 200 }
  - near_duplicates: {}
YAML
"$uniscale" data clean "$work/clean.yaml"
"$uniscale" tokenizer train "$work/clean" --vocabulary 2000 --out "$work/t.model"
"$uniscale" data tokenize "$work/clean" --tokenizer "$work/t.model" --out "$work/tokens" --validation 0.05
cat >"$work/run.yaml" <<YAML
run_directory: $work/run
model: { layers: 2, hidden: 64, heads: 2, context: 64 }
data:
  tokenizer: $work/t.model
  sources: [{ name: docs, domain: docs, shards: [$work/tokens/docs.train] }]
batch: { global: 8 }
train: { steps: 20, threads: 1 }
logging: { tensor_board: false }
YAML
"$uniscale" train "$work/run.yaml"
echo "six-forms: a store of six forms, cleaned, tokenized, trained on"
