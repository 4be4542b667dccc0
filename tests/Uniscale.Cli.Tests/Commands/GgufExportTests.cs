using System.Runtime.InteropServices;
using Uniscale.Checkpoints;
using Uniscale.Cli.Tests.HuggingFace;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Cli.Tests.Commands;

public sealed class GgufExportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MatricesHaveTheTypeThatIsAskedForAndNormsSinglePrecision()
    {
        Save("model.kv_heads=1");
        foreach (var (type, number, error) in new[] { ("f32", 0u, 0f), ("f16", 1u, 1f / 2048), ("bf16", 30u, 1f / 256) })
        {
            CommandRun.Ok("export", In("run"), "--to", In($"{type}.gguf"), "--format", "gguf", "--type", type);
            var file = new GgufFile(In($"{type}.gguf"));
            AssertShape([8L, 12], number, file.Shape("token_embd.weight"));
            AssertShape([8L, 4], number, file.Shape("blk.0.attn_k.weight"));
            AssertShape([8L], 0u, file.Shape("blk.0.ffn_norm.weight"));
            Assert.All(
                file.Values("token_embd.weight").Select((value, i) => (value, Weight(0, i))),
                pair => Assert.Equal(pair.Item2, pair.value, Math.Abs(pair.Item2) * error)
            );
        }
        Assert.Equal(12, new GgufFile(In("f32.gguf")).Names.Count());
        Assert.False(File.Exists(In("f32.gguf.unfinished")));
    }

    /// <summary>llama.cpp turns neighbours, we turn halves of a head: rows 0 1 2 3 of a head become 0 2 1 3.</summary>
    [Fact]
    public void RowsOfQueriesAndKeysAreNeighbours()
    {
        Save("model.qkv_bias=true", "model.attention_output_bias=true");
        CommandRun.Ok("export", In("run"), "--to", In("model.gguf"), "--format", "gguf");
        var file = new GgufFile(In("model.gguf"));
        // The order of parameters: embedding, attention norm, wq, its bias, wk, its bias, wv …
        int[] rows = [0, 2, 1, 3, 4, 6, 5, 7];
        Assert.Equal(
            rows.SelectMany(row => Enumerable.Range(0, 8).Select(i => Weight(2, 8 * row + i))),
            file.Values("blk.0.attn_q.weight")
        );
        Assert.Equal(rows.Select(row => Weight(3, row)), file.Values("blk.0.attn_q.bias"));
        Assert.Equal(rows.Select(row => Weight(5, row)), file.Values("blk.0.attn_k.bias"));
        Assert.Equal(Enumerable.Range(0, 64).Select(i => Weight(6, i)), file.Values("blk.0.attn_v.weight"));
    }

    [Fact]
    public void TheModelIsDescribed()
    {
        Save(
            "model.kv_heads=1",
            "model.tied_embeddings=true",
            "model.rope_base=20000",
            "model.rope_scaling=linear",
            "model.rope_factor=4",
            "model.norm_epsilon=1e-6"
        );
        CommandRun.Ok("export", In("run"), "--to", In("model.gguf"), "--format", "gguf");
        var file = new GgufFile(In("model.gguf"));
        Assert.DoesNotContain("output.weight", file.Names);
        // What the card of a folder says, for one that has no place beside it.
        Assert.Contains("Position: after step ", (string)file.Keys["general.description"], StringComparison.Ordinal);
        foreach (
            var (key, value) in new (string, object)[]
            {
                ("general.architecture", "llama"),
                ("general.file_type", 0u),
                ("llama.vocab_size", 12u),
                ("llama.context_length", 32u),
                ("llama.embedding_length", 8u),
                ("llama.block_count", 1u),
                ("llama.feed_forward_length", 24u),
                ("llama.attention.head_count", 2u),
                ("llama.attention.head_count_kv", 1u),
                ("llama.attention.key_length", 4u),
                ("llama.attention.layer_norm_rms_epsilon", 1e-6f),
                ("llama.rope.dimension_count", 4u),
                ("llama.rope.freq_base", 20000f),
                ("llama.rope.scaling.type", "linear"),
                ("llama.rope.scaling.factor", 4f),
            }
        )
            Assert.Equal(value, file.Keys[key]);
        Assert.DoesNotContain(file.Keys.Keys, key => key.StartsWith("tokenizer", StringComparison.Ordinal));
    }

    [Fact]
    public void PositionsHaveTheirKeysOrAreRefused()
    {
        Save("model.rope_scaling=yarn", "model.rope_factor=4", "model.rope_trained_context=8");
        CommandRun.Ok("export", In("run"), "--to", In("yarn.gguf"), "--format", "gguf");
        Assert.Equal(8u, new GgufFile(In("yarn.gguf")).Keys["llama.rope.scaling.original_context_length"]);
        Save("model.rope_scaling=llama3", "model.rope_factor=8", "model.rope_trained_context=16");
        CommandRun.Ok("export", In("run"), "--to", In("llama3.gguf"), "--format", "gguf");
        // 16 tokens turn the first pair 2.5 times, which is between 1 and 4, and the second one hardly.
        double kept = (16 / (2 * Math.PI) - 1) / 3;
        float[] factors = new GgufFile(In("llama3.gguf")).Values("rope_freqs.weight");
        Assert.Equal(1 / ((1 - kept) / 8 + kept), factors[0], 1e-5);
        Assert.Equal(8, factors[1]);
        Save("model.rope_scaling=dynamic", "model.rope_factor=2");
        Assert.Contains(
            "GGUF has no dynamic NTK",
            CommandRun.Refused("export", In("run"), "--to", In("d.gguf"), "--format", "gguf"),
            StringComparison.Ordinal
        );
        Save("model.rope_scaling=yarn", "model.rope_factor=4", "model.rope_trained_context=8", "model.rope_attention_factor=2");
        Assert.Contains(
            "GGUF has YaRN with",
            CommandRun.Refused("export", In("run"), "--to", In("d.gguf"), "--format", "gguf"),
            StringComparison.Ordinal
        );
        Assert.False(File.Exists(In("d.gguf")));
    }

    [Fact]
    public void TheTokenizerGoesWithIt()
    {
        string run = ConstantModel.Make(_folder);
        CommandRun.Ok("export", run, "--to", In("model.gguf"), "--format", "gguf");
        var keys = new GgufFile(In("model.gguf")).Keys;
        using var tokenizer = Tokenizer.Load(In("t.model"));
        object[] tokens = (object[])keys["tokenizer.ggml.tokens"];
        Assert.Equal(tokenizer.Size, tokens.Length);
        Assert.Equal(tokenizer.PieceOf(300).Text, tokens[300]);
        Assert.Equal(tokenizer.PieceOf(300).Score, ((object[])keys["tokenizer.ggml.scores"])[300]);
        Assert.Equal(6, ((object[])keys["tokenizer.ggml.token_type"])[tokenizer.IdOf("<0x41>")]);
        Assert.Equal(
            ((uint)tokenizer.EndId, false, true),
            (
                (uint)keys["tokenizer.ggml.eos_token_id"],
                (bool)keys["tokenizer.ggml.add_bos_token"],
                (bool)keys["tokenizer.ggml.add_space_prefix"]
            )
        );
    }

    [Fact]
    public void MistakesAreToldInASentence()
    {
        Save();
        Assert.Contains(
            "--type is for GGUF files alone",
            CommandRun.Refused("export", In("run"), "--to", In("model"), "--type", "f16"),
            StringComparison.Ordinal
        );
        File.WriteAllText(In("there.gguf"), "");
        Assert.Contains(
            "is there already",
            CommandRun.Refused("export", In("run"), "--to", In("there.gguf"), "--format", "gguf"),
            StringComparison.Ordinal
        );
        Save("model.norm=layernorm");
        Assert.Contains(
            "Llama's kind",
            CommandRun.Refused("export", In("run"), "--to", In("l.gguf"), "--format", "gguf"),
            StringComparison.Ordinal
        );
    }

    private static void AssertShape(long[] extents, uint type, (long[] Extents, uint Type) actual)
    {
        Assert.Equal(extents, actual.Extents);
        Assert.Equal(type, actual.Type);
    }

    private string In(string name) => _folder.In(name);

    /// <summary>Element i of the parameter with this number.</summary>
    private static float Weight(int parameter, int i) => MathF.Sin(1000 * parameter + i);

    private void Save(params string[] overrides)
    {
        if (Directory.Exists(In("run")))
            Directory.Delete(In("run"), recursive: true);
        var configuration = ConfigurationLoader.Parse(
            "",
            [
                "name=small",
                "train.steps=10",
                "model.layers=1",
                "model.hidden=8",
                "model.heads=2",
                "model.ffn=24",
                "model.context=32",
                "model.vocabulary=12",
                .. overrides,
            ]
        );
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(In("run/checkpoints"), world);
        var model = configuration.Value.Model;
        var pins = new List<GCHandle>();
        var slices = Transformer
            .Blocks(model, model.Vocabulary)
            .SelectMany(block => block.Parameters)
            .DistinctBy(parameter => parameter.Name)
            .Select(
                (parameter, number) =>
                {
                    float[] values =
                    [
                        .. Enumerable.Range(0, (int)parameter.Shape.Aggregate(1L, (a, b) => a * b)).Select(i => Weight(number, i)),
                    ];
                    pins.Add(GCHandle.Alloc(values, GCHandleType.Pinned));
                    return new StateSlice(
                        parameter.Name,
                        ElementType.Float32,
                        parameter.Shape,
                        new long[parameter.Shape.Length],
                        parameter.Shape,
                        pins[^1].AddrOfPinnedObject()
                    );
                }
            )
            .ToList();
        store.Save(
            new CheckpointState
            {
                Step = 5,
                ConsumedTokens = 1,
                ConfigurationYaml = configuration.ToYaml(),
                Slices = slices,
            }
        );
        pins.ForEach(pin => pin.Free());
    }
}
