using System.Runtime.InteropServices;
using System.Text.Json;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.HuggingFace;

public sealed class HuggingFaceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Saved by two ranks, the matrices cut by columns; optimizer state is left behind by an export.
    private CheckpointReader Save(ElementType type)
    {
        ThreadWorld.Run(2, world =>
        {
            var at = world.Rank * 8;
            using var model = new Tensors()
                .Add("embedding.tokens.weight", type, [16, 4], [at, 0], [8, 4])
                .Add("layers.11.attention.wq.weight", type, [4, 16], [0, at], [4, 8])
                .Add("layers.11.ffn.w3.weight", type, [16, 4], [at, 0], [8, 4])
                .Add("layers.11.attention_norm.weight", type, [4])
                .Add("head.norm.weight", type, [4])
                .Add("optimizer.m/head.norm.weight", ElementType.Float32, [4]);
            using var store = new CheckpointStore(_folder["run"], world);
            return store.Save(model.Fill(1).State(1));
        });
        return CheckpointReader.Open(CheckpointCatalog.Find(_folder["run"]));
    }

    private CheckpointReader Import()
    {
        using var import = HuggingFaceImport.Open(_folder["model"], _folder["scratch"]);
        ThreadWorld.Run(1, world =>
        {
            using var store = new CheckpointStore(_folder["back"], world);
            return store.Save(new CheckpointState { Step = 0, ConsumedTokens = 0, Slices = import.Slices });
        });
        return CheckpointReader.Open(CheckpointCatalog.Find(_folder["back"]));
    }

    [Theory]
    [InlineData(1_000_000, 1)]
    [InlineData(500, 3)]
    public void ExportAndImportGiveTheSameBits(long shardBytes, int files)
    {
        var saved = Save(ElementType.Float32);
        Assert.Equal(5, HuggingFaceExport.Write(saved, _folder["model"], shardBytes));
        Assert.Equal(files, Directory.GetFiles(_folder["model"], "*.safetensors").Length);
        var differences = CheckpointDiff.Compare(saved, Import()).ToArray();
        Assert.Equal(["optimizer.m/head.norm.weight"], differences.Where(difference => !difference.BitEqual).Select(difference => difference.Name));
        Assert.Empty(Directory.GetFiles(_folder["scratch"]));
    }

    [Fact]
    public void TheIndexNamesEveryTensorsFile()
    {
        HuggingFaceExport.Write(Save(ElementType.BFloat16), _folder["model"], shardBytes: 200);
        using var index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder["model"], "model.safetensors.index.json")));
        var map = index.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.GetString()!);
        Assert.Equal(
            ["model.embed_tokens.weight", "model.layers.11.input_layernorm.weight", "model.layers.11.mlp.up_proj.weight", "model.layers.11.self_attn.q_proj.weight", "model.norm.weight"],
            map.Keys.Order(StringComparer.Ordinal));
        long total = 0;
        foreach (var (name, file) in map)
        {
            using var tensors = SafeTensorsFile.Open(Path.Combine(_folder["model"], file));
            total += tensors[name].SizeBytes;
            Assert.Equal("BF16", tensors[name].Type);
            Assert.Equal("pt", tensors.Header.Metadata["format"]);
        }
        Assert.Equal(total, index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
    }

    [Fact]
    public void HalvesBecomeTheFloatsThatTheyAre()
    {
        Directory.CreateDirectory(_folder["model"]);
        var memory = RawMemory.Allocate(64);
        MemoryMarshal.Cast<byte, ushort>(RawMemory.Span(memory, 6))[0] = 0x3FC0;
        MemoryMarshal.Cast<byte, ushort>(RawMemory.Span(memory, 6))[1] = 0xC000;
        MemoryMarshal.Cast<byte, Half>(RawMemory.Span(memory + 32, 4))[0] = (Half)0.333f;
        SafeTensorsFile.Write(Path.Combine(_folder["model"], "model.safetensors"),
        [
            new SafeTensorsSource("model.norm.weight", ElementType.BFloat16, [2], memory),
            new SafeTensorsSource("lm_head.weight", ElementType.Float16, [1, 1], memory + 32),
        ]);
        RawMemory.Free(memory);
        using var import = HuggingFaceImport.Open(_folder["model"], _folder["scratch"]);
        float[] Values(string name) => MemoryMarshal.Cast<byte, float>(
            RawMemory.Span(import.Slices.Single(slice => slice.Name == name).Address, name == "head.norm.weight" ? 8 : 4)).ToArray();
        Assert.Equal([1.5f, -2f], Values("head.norm.weight"));
        Assert.Equal([(float)(Half)0.333f], Values("head.output.weight"));
    }

    [Theory]
    [InlineData("layers.3.attention.wo.bias", "model.layers.3.self_attn.o_proj.bias")]
    [InlineData("layers.0.ffn.w1.weight", "model.layers.0.mlp.gate_proj.weight")]
    [InlineData("layers.40.ffn_norm.weight", "model.layers.40.post_attention_layernorm.weight")]
    [InlineData("head.output.weight", "lm_head.weight")]
    public void NamesGoBothWays(string ours, string theirs)
    {
        Assert.Equal(theirs, LlamaNames.ToTheirs(ours));
        Assert.Equal(ours, LlamaNames.ToOurs(theirs));
    }

    [Fact]
    public void WhatIsNoLlamaIsRefusedBySentence()
    {
        Assert.Null(LlamaNames.ToTheirs("embedding.positions.weight"));
        Directory.CreateDirectory(_folder["model"]);
        Assert.Contains("neither model.safetensors", Assert.Throws<CheckpointException>(() => HuggingFaceImport.Open(_folder["model"], _folder["scratch"])).Message);
        SafeTensorsFile.Write(Path.Combine(_folder["model"], "model.safetensors"), [new SafeTensorsSource("transformer.wte.weight", ElementType.Float32, [0], 0)]);
        Assert.Contains("'transformer.wte.weight'", Assert.Throws<CheckpointMismatchException>(() => HuggingFaceImport.Open(_folder["model"], _folder["scratch"])).Message);
        File.WriteAllText(Path.Combine(_folder["model"], "config.json"), """{"model_type":"gpt2","hidden_size":1,"intermediate_size":1,"num_hidden_layers":1,"num_attention_heads":1,"max_position_embeddings":1,"vocab_size":1}""");
        Assert.Contains("type 'gpt2'", Assert.Throws<CheckpointException>(() => LlamaConfig.Read(_folder["model"])).Message);
    }
}
