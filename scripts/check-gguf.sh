#!/usr/bin/env bash
# Exports runs of several kinds of positions and heads as GGUF and reads them with llama.cpp (LLamaSharp 0.30 from NuGet): the same ids on all texts, greedy texts whose log-probabilities agree within 1e-3 a token.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uniscale="$root/scripts/uniscale"
work=${WORK:-$(mktemp -d)}
[[ -n ${WORK:-} ]] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work/raw" "$work/reader"

cat >"$work/reader/reader.csproj" <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable></PropertyGroup>
  <ItemGroup><PackageReference Include="LLamaSharp" Version="0.30.0" /><PackageReference Include="LLamaSharp.Backend.Cpu" Version="0.30.0" /></ItemGroup>
</Project>
XML
cat >"$work/reader/Program.cs" <<'CSHARP'
using LLama;
using LLama.Common;
using LLama.Native;

// For each line of a file: its ids, the greedy tokens behind it (0: none), and the sum of their log-probabilities.
NativeLogConfig.llama_log_set((level, message) => { if (level is LLamaLogLevel.Error or LLamaLogLevel.Warning) Console.Error.Write(message); });
var parameters = new ModelParams(args[0]) { ContextSize = 256, GpuLayerCount = 0, FlashAttention = false, TypeK = GGMLType.GGML_TYPE_F32, TypeV = GGMLType.GGML_TYPE_F32 };
using var weights = LLamaWeights.LoadFromFile(parameters);
foreach (string line in File.ReadLines(args[1]))
{
    using var context = weights.CreateContext(parameters);
    var ids = context.Tokenize(line, addBos: false, special: false).Select(token => (int)token).ToList();
    int prompt = ids.Count;
    double sum = 0;
    for (int n = 0; n < int.Parse(args[2]); n++)
    {
        var batch = new LLamaBatch();
        for (int i = n == 0 ? 0 : ids.Count - 1; i < ids.Count; i++) batch.Add(ids[i], i, LLamaSeqId.Zero, i == ids.Count - 1);
        if (context.NativeHandle.Decode(batch) != DecodeResult.Ok) throw new InvalidOperationException("llama.cpp cannot decode");
        var logits = context.NativeHandle.GetLogitsIth(batch.TokenCount - 1);
        int best = 0;
        for (int i = 1; i < logits.Length; i++) if (logits[i] > logits[best]) best = i;
        double total = 0;
        foreach (float logit in logits) total += Math.Exp(logit - logits[best]);
        sum -= Math.Log(total);
        ids.Add(best);
    }
    Console.WriteLine($"{string.Join(' ', ids.Take(prompt))}\t{string.Join(' ', ids.Skip(prompt))}\t{sum:R}");
}
CSHARP
dotnet build "$work/reader" -c Release --nologo -v q >"$work/reader.log" || { cat "$work/reader.log"; exit 1; }
reader="$work/reader/bin/Release/net10.0/reader"

cp "$root"/docs/reference/*.md "$root"/docs/how-to/*.md "$work/raw"
"$uniscale" data import "$work/raw" --domain docs --out "$work/store" >/dev/null
"$uniscale" tokenizer train "$work/store" --vocabulary 1500 --out "$work/t.model" >/dev/null
"$uniscale" data tokenize "$work/store" --tokenizer "$work/t.model" --out "$work/tokens" >/dev/null
cat "$work"/raw/*.md | grep . | sed -n '1~7p' | cut -c1-200 >"$work/texts"
printf '%s\n' ' two  blanks ' '日本語 and 中文' 'tab	and é' '</s> <s> <unk>' '0123456789' >>"$work/texts"
# Prompts of one line that are long enough to turn the slow pairs.
cut -c1-150 "$work/texts" | awk 'length > 100' | sed -n 1,8p >"$work/prompts"
python3 - "$work/prompts" "$work/prompts.jsonl" <<'PYTHON'
import json, sys
with open(sys.argv[2], "w") as out:
    for line in open(sys.argv[1]):
        out.write(json.dumps({"prompt": line.rstrip("\n")}) + "\n")
PYTHON
"$uniscale" tokenizer encode "$work/t.model" <"$work/texts" >"$work/ids"

failed=0
for kind in none linear ntk-aware yarn llama3 biases; do
    model='layers: 2, hidden: 64, heads: 4, kv_heads: 2, context: 256, init_std: 0.1'
    case $kind in
        none) ;;
        biases) model+=', kv_heads: 4, qkv_bias: true, attention_output_bias: true, tied_embeddings: true' && model=${model/kv_heads: 2, /} ;;
        yarn | llama3) model+=", rope_scaling: $kind, rope_factor: 4, rope_trained_context: 64" ;;
        *) model+=", rope_scaling: $kind, rope_factor: 4" ;;
    esac
    cat >"$work/$kind.yaml" <<YAML
run_directory: $work/run-$kind
model: { $model }
data: { tokenizer: $work/t.model, sources: [{ name: docs, shards: [$work/tokens/docs.train] }] }
batch: { global: 4 }
train: { steps: 30 }
logging: { peak_flops: 1G, tensor_board: false }
YAML
    "$uniscale" train "$work/$kind.yaml" >"$work/$kind.log"
    "$uniscale" export "$work/run-$kind" --format gguf --to "$work/$kind.gguf" >/dev/null
    "$uniscale" generate "$work/run-$kind" --prompts "$work/prompts.jsonl" --tokens 24 --temperature 0 >"$work/$kind.ours"
    "$reader" "$work/$kind.gguf" "$work/texts" 0 | cut -f1 >"$work/$kind.ids"
    "$reader" "$work/$kind.gguf" "$work/prompts" 24 >"$work/$kind.theirs"
    cmp -s "$work/ids" "$work/$kind.ids" || { echo "$kind: ids differ"; diff "$work/ids" "$work/$kind.ids" | head -4; failed=1; }
    python3 - "$work/$kind.ours" "$work/$kind.theirs" "$kind" <<'PYTHON' || failed=1
import json, sys
worst, same, count = 0, 0, 0
theirs = [line.rstrip("\n").split("\t") for line in open(sys.argv[2])]
for line, (_, ids, total) in zip(open(sys.argv[1]), theirs):
    ours = json.loads(line)
    if ours["finish_reason"] == "stop":
        continue
    count += 1
    worst = max(worst, abs(ours["log_probability"] - float(total)) / ours["tokens"])
print(f"{sys.argv[3]}: {count} texts of 24 greedy tokens, log-probabilities of a token differ by at most {worst:.1e}")
raise SystemExit(worst > 1e-3 or count == 0)
PYTHON
done
exit $failed
