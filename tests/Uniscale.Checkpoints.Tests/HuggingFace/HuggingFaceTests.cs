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
        ThreadWorld.Run(
            2,
            world =>
            {
                int at = world.Rank * 8;
                using var model = new Tensors()
                    .Add("embedding.tokens.weight", type, [16, 4], [at, 0], [8, 4])
                    .Add("layers.11.attention.wq.weight", type, [4, 16], [0, at], [4, 8])
                    .Add("layers.11.ffn.w3.weight", type, [16, 4], [at, 0], [8, 4])
                    .Add("layers.11.attention_norm.weight", type, [4])
                    .Add("head.norm.weight", type, [4])
                    .Add("optimizer.m/head.norm.weight", ElementType.Float32, [4]);
                using var store = new CheckpointStore(_folder["run"], world);
                return store.Save(model.Fill(1).Finite().State(1));
            }
        );
        return CheckpointReader.Open(CheckpointCatalog.Find(_folder["run"]));
    }

    private static readonly LlamaConfig Llama = new()
    {
        HiddenSize = 4,
        IntermediateSize = 16,
        NumHiddenLayers = 12,
        NumAttentionHeads = 1,
        MaxPositionEmbeddings = 8,
        VocabSize = 16,
    };

    private static readonly Dictionary<string, long[]> Parameters = new()
    {
        ["embedding.tokens.weight"] = [16, 4],
        ["layers.11.attention.wq.weight"] = [4, 16],
        ["layers.11.ffn.w3.weight"] = [16, 4],
        ["layers.11.attention_norm.weight"] = [4],
        ["head.norm.weight"] = [4],
    };

    private CheckpointReader Import()
    {
        using var import = HuggingFaceImport.Open(_folder["model"], _folder["scratch"], Parameters, Llama);
        ThreadWorld.Run(
            1,
            world =>
            {
                using var store = new CheckpointStore(_folder["back"], world);
                return store.Save(
                    new CheckpointState
                    {
                        Step = 0,
                        ConsumedTokens = 0,
                        Slices = import.Slices,
                    }
                );
            }
        );
        return CheckpointReader.Open(CheckpointCatalog.Find(_folder["back"]));
    }

    [Theory]
    [InlineData(1_000_000, 1)]
    [InlineData(500, 3)]
    public void ExportAndImportGiveTheSameBits(long shardBytes, int files)
    {
        var saved = Save(ElementType.Float32);
        Assert.Equal(5, HuggingFaceExport.Write(saved, _folder["model"], Llama, shardBytes));
        Assert.Equal(files, Directory.GetFiles(_folder["model"], "*.safetensors").Length);
        var differences = CheckpointDiff.Compare(saved, Import()).ToArray();
        Assert.Equal(
            ["optimizer.m/head.norm.weight"],
            differences.Where(difference => !difference.BitEqual).Select(difference => difference.Name)
        );
        Assert.Empty(Directory.GetFiles(_folder["scratch"]));
    }

    [Fact]
    public void TheIndexNamesEveryTensorsFile()
    {
        HuggingFaceExport.Write(Save(ElementType.BFloat16), _folder["model"], Llama, shardBytes: 200);
        using var index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder["model"], "model.safetensors.index.json")));
        var map = index
            .RootElement.GetProperty("weight_map")
            .EnumerateObject()
            .ToDictionary(pair => pair.Name, pair => pair.Value.GetString()!);
        Assert.Equal(
            [
                "model.embed_tokens.weight",
                "model.layers.11.input_layernorm.weight",
                "model.layers.11.mlp.up_proj.weight",
                "model.layers.11.self_attn.q_proj.weight",
                "model.norm.weight",
            ],
            map.Keys.Order(StringComparer.Ordinal)
        );
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
        nint memory = PageMemory.Allocate(64);
        MemoryMarshal.Cast<byte, ushort>(PageMemory.Span(memory, 6))[0] = 0x3FC0;
        MemoryMarshal.Cast<byte, ushort>(PageMemory.Span(memory, 6))[1] = 0xC000;
        MemoryMarshal.Cast<byte, Half>(PageMemory.Span(memory + 32, 4))[0] = (Half)0.333f;
        SafeTensorsFile.Write(
            Path.Combine(_folder["model"], "model.safetensors"),
            [
                new SafeTensorsSource("model.norm.weight", ElementType.BFloat16, [2], memory),
                new SafeTensorsSource("lm_head.weight", ElementType.Float16, [1, 1], memory + 32),
            ]
        );
        PageMemory.Free(memory);
        using var import = HuggingFaceImport.Open(
            _folder["model"],
            _folder["scratch"],
            new Dictionary<string, long[]> { ["head.norm.weight"] = [2], ["head.output.weight"] = [1, 1] },
            Llama
        );
        float[] Values(string name) =>
            MemoryMarshal
                .Cast<byte, float>(
                    PageMemory.Span(import.Slices.Single(slice => slice.Name == name).Address, name == "head.norm.weight" ? 8 : 4)
                )
                .ToArray();
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

    private string Refusal(params SafeTensorsSource[] tensors)
    {
        Directory.CreateDirectory(_folder["model"]);
        SafeTensorsFile.Write(Path.Combine(_folder["model"], "model.safetensors"), tensors);
        var parameters = new Dictionary<string, long[]> { ["embedding.tokens.weight"] = [2, 1], ["head.norm.weight"] = [1] };
        return Assert
            .ThrowsAny<CheckpointException>(() => HuggingFaceImport.Open(_folder["model"], _folder["scratch"], parameters, Llama).Dispose())
            .Message;
    }

    private static SafeTensorsSource Tensor(string name, nint memory, params long[] shape) => new(name, ElementType.Float32, shape, memory);

    [Fact]
    public void EveryTensorIsAccountedFor()
    {
        nint memory = PageMemory.Allocate(64);
        MemoryMarshal.Cast<byte, float>(PageMemory.Span(memory, 64)).Fill(1);
        SafeTensorsSource embedding = Tensor("model.embed_tokens.weight", memory, 2, 1),
            norm = Tensor("model.norm.weight", memory, 1);
        Assert.Contains("has no tensor 'model.norm.weight'", Refusal(embedding));
        Assert.Contains(
            "'model.norm.weight' has the shape [2], the model of config.json wants [1]",
            Refusal(embedding, Tensor("model.norm.weight", memory, 2))
        );
        Assert.Contains(
            "holds 'model.layers.7.mlp.up_proj.weight', which the model of config.json does not have",
            Refusal(embedding, norm, Tensor("model.layers.7.mlp.up_proj.weight", memory, 1))
        );
        Assert.Contains(
            "holds 'model.layers.0.self_attn.q_proj.bias', which the model of config.json does not have",
            Refusal(embedding, norm, Tensor("model.layers.0.self_attn.q_proj.bias", memory, 1))
        );
        Assert.Contains(
            "holds 'transformer.wte.weight', which Uniscale's Llama does not have",
            Refusal(embedding, norm, Tensor("transformer.wte.weight", memory, 1))
        );
        foreach (float wrong in (float[])[float.NaN, float.NegativeInfinity])
        {
            MemoryMarshal.Cast<byte, float>(PageMemory.Span(memory + 32, 8))[1] = wrong;
            Assert.Contains(
                "tensor 'model.embed_tokens.weight' holds numbers that are not finite",
                Refusal(Tensor("model.embed_tokens.weight", memory + 32, 2, 1), norm)
            );
        }
        MemoryMarshal.Cast<byte, float>(PageMemory.Span(memory + 32, 8)).Fill(2);
        Assert.Contains(
            "differs from the embedding although tie_word_embeddings is true",
            Refusal(embedding, norm, Tensor("lm_head.weight", memory + 32, 2, 1))
        );
        Assert.Contains(
            "of F32, BF16 and F16 are read",
            Refusal(embedding, new SafeTensorsSource("model.norm.weight", ElementType.Int32, [1], memory))
        );
        Assert.Empty(Directory.Exists(_folder["scratch"]) ? Directory.GetFileSystemEntries(_folder["scratch"]) : []);

        // A head that is the embedding, and frequencies that every reader computes, say nothing new.
        SafeTensorsFile.Write(
            Path.Combine(_folder["model"], "model.safetensors"),
            [embedding, norm, Tensor("lm_head.weight", memory, 2, 1), Tensor("model.layers.0.self_attn.rotary_emb.inv_freq", memory, 4)]
        );
        using var import = HuggingFaceImport.Open(
            _folder["model"],
            _folder["scratch"],
            new Dictionary<string, long[]> { ["embedding.tokens.weight"] = [2, 1], ["head.norm.weight"] = [1] },
            Llama
        );
        Assert.Equal(["embedding.tokens.weight", "head.norm.weight"], import.Slices.Select(slice => slice.Name));
        PageMemory.Free(memory);
    }

    [Theory]
    [InlineData(
        """{"weight_map":{"model.norm.weight":"../model.safetensors"}}""",
        "names the file '../model.safetensors', which is none of the folder"
    )]
    [InlineData("""{"weight_map":{"model.norm.weight":"gone.safetensors"}}""", "gone.safetensors cannot be read")]
    [InlineData("""{"weight_map":{}}""", "names no tensor")]
    [InlineData("""{"weight_map":7}""", "is no index of safetensors files")]
    [InlineData("""[]""", "is no index of safetensors files")]
    [InlineData(
        """{"weight_map":{"lm_head.weight":"a.safetensors"}}""",
        "has no tensor 'lm_head.weight', which model.safetensors.index.json says it holds"
    )]
    public void AnIndexIsHeldAgainstItsFiles(string json, string expected)
    {
        Directory.CreateDirectory(_folder["model"]);
        SafeTensorsFile.Write(_folder["model/a.safetensors"], [Tensor("model.norm.weight", 0, 0)]);
        File.WriteAllText(_folder["model/model.safetensors.index.json"], json);
        Assert.Contains(
            expected,
            Assert
                .ThrowsAny<CheckpointException>(() => HuggingFaceImport.Open(_folder["model"], _folder["scratch"], Parameters, Llama))
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void WhatIsNoLlamaIsRefusedBySentence()
    {
        Assert.Null(LlamaNames.ToTheirs("embedding.positions.weight"));
        Directory.CreateDirectory(_folder["model"]);
        Assert.Contains(
            "neither model.safetensors",
            Assert
                .Throws<CheckpointException>(() => HuggingFaceImport.Open(_folder["model"], _folder["scratch"], Parameters, Llama))
                .Message
        );
        File.WriteAllText(Path.Combine(_folder["model"], "adapter_config.json"), "{}");
        Assert.Contains(
            "the weights of an adapter",
            Assert
                .Throws<CheckpointException>(() => HuggingFaceImport.Open(_folder["model"], _folder["scratch"], Parameters, Llama))
                .Message
        );
    }
}
