#!/usr/bin/env bash
# Samples that other programs write (hyparquet-writer and apache-arrow of npm, gzip, bzip2, xz, zstd, lz4, tar, Python's zipfile), imported and compared text by text; of each a cut one, which must be left out and named.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uniscale=$root/scripts/uniscale
work=${WORK:-$(mktemp -d)}
[[ -n ${WORK:-} ]] || trap 'rm -rf "$work"' EXIT
for program in node npm bzip2 xz zstd lz4 tar python3; do
    command -v $program >/dev/null || { echo "check-forms: $program is needed: apt-get install nodejs npm bzip2 xz-utils zstd lz4 tar python3" >&2; exit 2; }
done
mkdir -p "$work/raw"
[[ -d $work/node_modules/hyparquet-writer ]] || npm install --silent --no-save --prefix "$work" hyparquet-writer@0.17.0 apache-arrow@21.2.0
"$uniscale" --version >/dev/null

# Tables, and the texts of each file in texts.jsonl: {"file", "texts"}.
cat >"$work/tables.mjs" <<'JS'
import fs from 'node:fs'
import zlib from 'node:zlib'
import { parquetWriteFile } from 'hyparquet-writer'
import { LargeUtf8, RecordBatchFileWriter, RecordBatchStreamWriter, Table, Utf8, vectorFromArray, Dictionary, Int32 } from 'apache-arrow'

let number = 0 // no two files have the same bytes
const expected = []
const tell = (file, texts) => expected.push({ file, texts: texts.filter((text) => text !== null && text.trim() !== '') })
const sets = {
  shared: ['Café one', 'Café two', 'Cafè', '训练语言模型', '训练语言', '训线', '🙂a', '🙃b', '', 'z'],
  nulls: ['first', null, null, 'zweites', null],
  none: [null, null, null],
  many: Array.from({ length: 3000 }, (_, i) => (i % 7 ? `überlauf ${i} ${'x'.repeat(i % 90)}` : null)),
  repeated: Array.from({ length: 3000 }, (_, i) => `eins von wenigen ${i % 11}`),
}
const compressors = { GZIP: (bytes) => new Uint8Array(zlib.gzipSync(bytes)), BROTLI: (bytes) => new Uint8Array(zlib.brotliCompressSync(bytes)) }
if (zlib.zstdCompressSync) compressors.ZSTD = (bytes) => new Uint8Array(zlib.zstdCompressSync(bytes))
for (const [name, texts] of Object.entries(sets)) {
  for (const codec of ['UNCOMPRESSED', 'SNAPPY', ...Object.keys(compressors)]) {
    for (const encoding of [undefined, 'PLAIN', 'DELTA_BYTE_ARRAY', 'DELTA_LENGTH_BYTE_ARRAY']) {
      const file = `${name}-${codec}-${encoding ?? 'chosen'}.parquet`
      number++
      parquetWriteFile({ filename: `raw/${file}`, codec, compressors, pageSize: 4096, rowGroupSize: 1000,
        columnData: [{ name: 'id', data: texts.map((_, i) => 10000 * number + i), type: 'INT32' }, { name: 'text', data: texts, type: 'STRING', nullable: true, ...(encoding ? { encoding } : {}) }] })
      tell(file, texts)
    }
  }
  if (name === 'none') continue
  for (const [layout, type] of [['utf8', new Utf8()], ['large', new LargeUtf8()], ['dictionary', new Dictionary(new Utf8(), new Int32())]]) {
    const table = new Table({ text: vectorFromArray(texts, type) })
    fs.writeFileSync(`raw/${name}-${layout}.arrow`, RecordBatchStreamWriter.writeAll(table).toUint8Array(true))
    fs.writeFileSync(`raw/${name}-${layout}.feather`, RecordBatchFileWriter.writeAll(table).toUint8Array(true))
    tell(`${name}-${layout}.arrow`, texts)
    tell(`${name}-${layout}.feather`, texts)
  }
}
const lines = sets.many.filter(Boolean)
const half = Math.floor(lines.length / 2)
for (const [part, texts] of [['a', lines.slice(0, half)], ['b', lines.slice(half)]])
  fs.writeFileSync(`${part}.jsonl`, texts.map((text) => JSON.stringify({ text }) + '\n').join(''))
for (const ending of ['gz', 'bz2', 'xz', 'zst', 'lz4']) tell(`lines.jsonl.${ending}`, lines)
for (const ending of ['tar', 'tar.gz', 'tar.bz2', 'tar.xz', 'tar.zst', 'zip']) tell(`lines.${ending}`, lines)
const pages = lines.slice(0, 40).map((text, i) => ({ title: `Seite ${i}`, text }))
const page = ({ title, text }) => `<page><title>${title}</title><ns>0</ns><id>1</id><revision><id>2</id><timestamp>2026-01-01T00:00:00Z</timestamp><text>${text}</text></revision></page>\n`
fs.writeFileSync('head.xml', '<mediawiki xml:lang="de"><siteinfo></siteinfo>\n' + pages.slice(0, 20).map(page).join(''))
fs.writeFileSync('tail.xml', pages.slice(20).map(page).join('') + '</mediawiki>\n')
tell('dewiki-pages-articles-multistream.xml.bz2', pages.map(({ title, text }) => `${title}\n\n${text}`))
fs.writeFileSync('texts.jsonl', expected.map((entry) => JSON.stringify(entry) + '\n').join(''))
JS
cd "$work"
node tables.mjs
for part in a b; do # two members, streams or frames one behind the other
    gzip -c $part.jsonl >>raw/lines.jsonl.gz
    bzip2 -c $part.jsonl >>raw/lines.jsonl.bz2
    xz -c $part.jsonl >>raw/lines.jsonl.xz
    zstd -qc --long=30 $part.jsonl >>raw/lines.jsonl.zst
    lz4 -qc $part.jsonl >>raw/lines.jsonl.lz4
done
{ bzip2 -c head.xml; bzip2 -c tail.xml; } >raw/dewiki-pages-articles-multistream.xml.bz2
for ending in tar tar.gz tar.bz2 tar.xz tar.zst; do tar -caf "raw/lines.$ending" a.jsonl b.jsonl; done
python3 -m zipfile -c raw/lines.zip a.jsonl b.jsonl

"$uniscale" data import raw --domain whole --out store >said
zstd -dcq store/whole/*.jsonl.zst >got.jsonl
python3 - <<'PY'
import json, sys
wanted = {entry["file"]: entry["texts"] for entry in map(json.loads, open("texts.jsonl"))}
got = {file: [] for file in wanted}
for line in map(json.loads, open("got.jsonl")):
    got[line["source"].split(":")[0].split("/")[0]].append(line["text"])
for file, texts in wanted.items():
    if got[file] != texts:
        sys.exit(f"check-forms: {file}: {len(got[file])} texts for {len(texts)}; first difference: {next(((a, b) for a, b in zip(got[file], texts) if a != b), None)}")
PY

mkdir -p cut
for file in $(ls raw); do
    size=$(stat -c %s "raw/$file")
    case $file in none-*) continue ;; *.arrow) size=$((size - 4)) ;; *) size=$((size * 9 / 10)) ;; esac
    head -c "$size" "raw/$file" >"cut/$file"
done
cuts=$(ls cut)
echo 'A whole file among them.' >cut/whole.txt
"$uniscale" data import cut --domain cut --out store >said
grep -q '^cut: 1 documents' said || { echo "check-forms: of cut files something was taken: $(cat said)"; exit 1; }
for file in $cuts; do
    grep -q "damaged: cut/$file" said || { echo "check-forms: nothing is said of a cut $file"; exit 1; }
done
echo "$(ls raw | wc -l) samples of other programs, and a cut one of $(wc -w <<<"$cuts"): passed"
