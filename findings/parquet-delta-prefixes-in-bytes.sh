#!/usr/bin/env bash
# What: Parquet's DELTA_BYTE_ARRAY stores a text as "the first N bytes of the text before it" and the rest. Parquet.Net 6.1.0 takes N
# characters. Where the shared beginning holds a character of more than one byte in UTF-8, it keeps too much of the text before, and
# gives wrong words: no exception, no replacement character, a plausible string. ASCII is read rightly, so an English sample shows nothing.
#
# Why it matters: sorted columns of URLs, titles or documents are what this encoding is for, and writers choose it by themselves or on
# request. A corpus in German or Japanese would be trained on with invented words, and no check sum is there to object.
#
# What follows: an importer that reads Parquet through this library says so as a limit, or refuses pages of this encoding by their header;
# a test of an importer needs a file of a foreign writer with texts beyond ASCII.
#
# Needs bash, dotnet (10.0) and node with npm. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

parquet_net=6.1.0 hyparquet=1.31.5 hyparquet_writer=0.17.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

mkdir write read
cat >write/package.json <<JSON
{ "private": true, "type": "module", "dependencies": { "hyparquet": "$hyparquet", "hyparquet-writer": "$hyparquet_writer" } }
JSON
cat >write/write.js <<'JS'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { parquetWriteFile } from 'hyparquet-writer'
const [, , filename, ...texts] = process.argv
parquetWriteFile({ filename, columnData: [{ name: 'text', data: texts, type: 'STRING', encoding: 'DELTA_BYTE_ARRAY' }] })
const rows = await parquetReadObjects({ file: await asyncBufferFromFile(filename) })
console.log(rows.map(row => row.text).join(' '))
JS
cat >read/read.csproj <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="Parquet.Net" Version="[$parquet_net]" /></ItemGroup>
</Project>
XML
cat >read/Program.cs <<'CS'
using Parquet;
await using var reader = await ParquetReader.CreateAsync(File.OpenRead(args[0]));
using var rows = reader.OpenRowGroupReader(0);
var texts = new string[(int)rows.RowCount];
await rows.ReadAsync(reader.Schema.DataFields[0], texts.AsMemory(), null);
Console.OutputEncoding = System.Text.Encoding.UTF8;
Console.WriteLine(string.Join(' ', texts));
CS
unprepared() { echo "Could not be tried: $1"; tail -n 20 log; exit 2; }
npm install --prefix write --no-audit --no-fund >log 2>&1 || unprepared "the npm packages were not installed."
NUGET_PACKAGES=$folder/packages dotnet build read -c Release -o out --nologo -v q -nodeReuse:false >log 2>&1 || unprepared "the reader was not built."
echo "hyparquet-writer $hyparquet_writer, hyparquet $hyparquet, Parquet.Net $parquet_net, .NET $(dotnet --version)"

# compare NAME TEXT...: what both readers make of the same file
compare() {
    local name=$1
    shift
    written=$(node write/write.js "$name.parquet" "$@")
    read=$(dotnet out/read.dll "$name.parquet")
    printf '\n%s\n  written, and by hyparquet read: %s\n  read by Parquet.Net:            %s\n' "$name" "$written" "$read"
    [ "$written" = "$*" ] || { echo "Changed: hyparquet does not read what it wrote, so the file proves nothing."; exit 1; }
}
compare ascii overall overdone overtaken
[ "$read" = "$written" ] || { echo "Changed: texts of ASCII are read wrongly too."; exit 1; }
compare german überall überholt übersetzt
german=$read
compare japanese 東京都庁前駅の北口の広場 東京都港区 東京都北区
echo
echo "Good guess: a valid file of strings is read as it was written, or refused."
if [ "$german" = "überall überaholt überasetzt" ] &&
    [ "$read" = "東京都庁前駅の北口の広場 東京都庁前駅の北口港区 東京都庁前駅の北口北区" ]; then
    echo "Seen: Parquet.Net takes lengths in bytes for lengths in characters and gives other texts without an error."
    exit 0
fi
echo "Changed: Parquet.Net $parquet_net no longer counts shared beginnings in characters."
exit 1
