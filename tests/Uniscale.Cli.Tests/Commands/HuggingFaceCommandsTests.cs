using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Tests.Commands;

public sealed class HuggingFaceCommandsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-hugging-face-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private void Save(params string[] overrides)
    {
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
        using var store = new CheckpointStore(At("run/checkpoints"), world);
        float[] weights = Enumerable.Range(0, 1 << 12).Select(i => MathF.Sin(i)).ToArray();
        var pin = GCHandle.Alloc(weights, GCHandleType.Pinned);
        var model = configuration.Value.Model;
        var slices = Transformer
            .Blocks(model, model.Vocabulary)
            .SelectMany(block => block.Parameters)
            .DistinctBy(parameter => parameter.Name)
            .Select(
                (parameter, i) =>
                    new StateSlice(
                        parameter.Name,
                        ElementType.Float32,
                        parameter.Shape,
                        new long[parameter.Shape.Length],
                        parameter.Shape,
                        pin.AddrOfPinnedObject() + 4 * i
                    )
            );
        store.Save(
            new CheckpointState
            {
                Step = 5,
                ConsumedTokens = 1,
                ConfigurationYaml = configuration.ToYaml(),
                Slices =
                [
                    .. slices,
                    new StateSlice("optimizer.m/head.norm.weight", ElementType.Float32, [8], [0], [8], pin.AddrOfPinnedObject()),
                ],
            }
        );
        pin.Free();
    }

    [Fact]
    public void AModelGoesOutAndComesBack()
    {
        Save(
            "model.kv_heads=1",
            "model.rope_scaling=linear",
            "model.rope_factor=4",
            "model.tied_embeddings=true",
            "model.norm_epsilon=1e-6"
        );
        var (code, output, error) = CommandRun.Of("export", At("run"), "--to", At("model"));
        Assert.True(code == 0, error);
        Assert.Contains("11 tensors of step 5", output);
        var config = LlamaConfig.Read(At("model"));
        Assert.Equal(
            (8, 24, 1, 2, 1, 4, 32, 12),
            (
                config.HiddenSize,
                config.IntermediateSize,
                config.NumHiddenLayers,
                config.NumAttentionHeads,
                config.NumKeyValueHeads,
                config.HeadDim,
                config.MaxPositionEmbeddings,
                config.VocabSize
            )
        );
        Assert.Equal(
            ("linear", (double?)4.0, true, 1e-6, "float32"),
            (config.RopeParameters.RopeType, config.RopeParameters.Factor, config.TieWordEmbeddings, config.RmsNormEps, config.TorchDtype)
        );

        (code, _, error) = CommandRun.Of("import", At("model"), "--to", At("back"));
        Assert.True(code == 0, error);
        var back = CheckpointReader.Open(CheckpointCatalog.Find(At("back")));
        var model = ConfigurationLoader.Parse(back.Manifest.ConfigurationYaml).Value.Model;
        Assert.Equal(
            (8, 24, 1, 2, 1, 4, 32, 12),
            (model.Hidden, model.FfnWidth, model.Layers, model.Heads, model.KvHeadCount, model.HeadWidth, model.Context, model.Vocabulary)
        );
        Assert.Equal(
            (RopeScalingKind.Linear, 4.0, true, 1e-6),
            (model.RopeScaling, model.RopeFactor, model.TiedEmbeddings, model.NormEpsilon)
        );
        Assert.Contains("11 of 12 tensors are bit-equal", CommandRun.Of("checkpoint", "diff", At("run"), At("back")).Output);
        Assert.True(File.Exists(At("back/config.yaml")));
        Assert.Equal(2, CommandRun.Of("import", At("model"), "--to", At("back")).Code);
    }

    /// <summary>Out and back with the same positions, whatever their formula; a base that was stretched comes back as a base.</summary>
    [Theory]
    [InlineData("none")]
    [InlineData("linear", "model.rope_factor=4")]
    [InlineData("dynamic", "model.rope_factor=2")]
    [InlineData("yarn", "model.rope_factor=4", "model.rope_trained_context=8", "model.rope_fast_turns=16")]
    [InlineData("yarn", "model.rope_factor=4", "model.rope_trained_context=8", "model.rope_attention_factor=1.25")]
    [InlineData(
        "llama3",
        "model.rope_factor=8",
        "model.rope_trained_context=4",
        "model.rope_low_frequency=0.5",
        "model.rope_high_frequency=3"
    )]
    public void PositionsGoOutAndComeBack(string scaling, params string[] overrides)
    {
        Save([Tied, "model.rope_base=500000", $"model.rope_scaling={scaling}", .. overrides]);
        CommandRun.Ok("export", At("run"), "--to", At("model"));
        CommandRun.Ok("import", At("model"), "--to", At("back"));
        ModelSection[] both =
        [
            .. new[] { "run", "back" }.Select(name =>
                ConfigurationLoader.Parse(CheckpointReader.Open(CheckpointCatalog.Find(At(name))).Manifest.ConfigurationYaml).Value.Model
            ),
        ];
        Assert.Equal(both[0].RopeBase, both[1].RopeBase);
        Assert.Equal(RotaryStretch.Of(both[0]), RotaryStretch.Of(both[1]));
    }

    /// <summary>
    /// For each key-value head its query heads, its key, its value: 8 queries, 2 keys and values of width 2 lie in 24 rows.
    /// </summary>
    [Fact]
    public void InternLm2KeepsQueriesKeysAndValuesTogether()
    {
        Save(
            "model.heads=8",
            "model.head_dim=2",
            "model.hidden=16",
            "model.kv_heads=2",
            "model.rope_scaling=dynamic",
            "model.rope_factor=2"
        );
        CommandRun.Ok("export", At("run"), "--to", At("model"), "--format", "internlm2");
        var config = JsonNode.Parse(File.ReadAllText(At("model/config.json")))!;
        Assert.Equal(
            ("internlm2", """{"type":"dynamic","factor":2}""", "InternLM2ForCausalLM"),
            (
                config["model_type"]!.GetValue<string>(),
                config["rope_scaling"]!.ToJsonString(),
                config["architectures"]![0]!.GetValue<string>()
            )
        );
        CommandRun.Ok("import", At("model"), "--to", At("back"));
        Assert.Contains("12 of 13 tensors are bit-equal", CommandRun.Of("checkpoint", "diff", At("run"), At("back")).Output);
        // Against the order of rows as it is published: "(kv (g+2) d)".
        using var file = SafeTensorsFile.Open(At("model/model.safetensors"));
        float[] packed = Read(file, "model.layers.0.attention.wqkv.weight"),
            q = Weights("layers.0.attention.wq.weight"),
            k = Weights("layers.0.attention.wk.weight"),
            v = Weights("layers.0.attention.wv.weight");
        const int Row = 16;
        for (int head = 0; head < 2; head++)
        {
            int first = head * 6 * 2 * Row;
            Assert.Equal(q[(head * 8 * Row)..((head + 1) * 8 * Row)], packed[first..(first + 8 * Row)]);
            Assert.Equal(k[(head * 2 * Row)..((head + 1) * 2 * Row)], packed[(first + 8 * Row)..(first + 10 * Row)]);
            Assert.Equal(v[(head * 2 * Row)..((head + 1) * 2 * Row)], packed[(first + 10 * Row)..(first + 12 * Row)]);
        }
        config["num_key_value_heads"] = 4;
        File.WriteAllText(At("model/config.json"), config.ToJsonString());
        Assert.Contains(
            "'model.layers.0.attention.wqkv.weight' has 24 rows, the heads of config.json want 32",
            CommandRun.Refused("import", At("model"), "--to", At("other")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TheFirstInternLmGoesOutAndComesBack()
    {
        Save("model.qkv_bias=true", "model.attention_output_bias=true", "model.rope_base=20000");
        CommandRun.Ok("export", At("run"), "--to", At("model"), "--format", "internlm");
        var config = JsonNode.Parse(File.ReadAllText(At("model/config.json")))!;
        Assert.Equal("""{"base":20000,"type":"origin"}""", config["rotary"]!.ToJsonString());
        Assert.True(config["bias"]!.GetValue<bool>());
        CommandRun.Ok("import", At("model"), "--to", At("back"));
        Assert.Contains("16 of 17 tensors are bit-equal", CommandRun.Of("checkpoint", "diff", At("run"), At("back")).Output);
        Assert.Equal(
            20000,
            ConfigurationLoader
                .Parse(CheckpointReader.Open(CheckpointCatalog.Find(At("back"))).Manifest.ConfigurationYaml)
                .Value.Model.RopeBase
        );
    }

    [Theory]
    [InlineData("internlm", "InternLM has as many key as query heads", "model.kv_heads=1")]
    [InlineData("internlm2", "the heads of InternLM2 fill the hidden size", "model.head_dim=2")]
    [InlineData("internlm2", "InternLM2 has no biases in its feed-forward layers", "model.ffn_bias=true")]
    [InlineData(
        "internlm2",
        "InternLM2 has no positions of the kind 'yarn'",
        "model.rope_scaling=yarn",
        "model.rope_factor=4",
        "model.rope_trained_context=8"
    )]
    [InlineData("internlm", "InternLM has no positions of the kind 'linear'", "model.rope_scaling=linear", "model.rope_factor=4")]
    public void AModelThatTheFamilyLacksIsRefused(string family, string sentence, params string[] overrides)
    {
        Save(overrides);
        Assert.Contains(
            sentence,
            CommandRun.Refused("export", At("run"), "--to", At("model"), "--format", family),
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(At("model")));
    }

    private static float[] Read(SafeTensorsFile file, string name)
    {
        var entry = file.Header.Entries.Single(entry => entry.Name == name);
        byte[] bytes = new byte[entry.SizeBytes];
        file.Read(entry, 0, bytes);
        return MemoryMarshal.Cast<byte, float>(bytes.AsSpan()).ToArray();
    }

    private float[] Weights(string name)
    {
        var reader = CheckpointReader.Open(CheckpointCatalog.Find(At("run")));
        var record = reader[name];
        float[] values = new float[record.SizeBytes / 4];
        var pin = GCHandle.Alloc(values, GCHandleType.Pinned);
        reader.Load([
            new StateSlice(name, record.Type, record.Shape, new long[record.Shape.Length], record.Shape, pin.AddrOfPinnedObject()),
        ]);
        pin.Free();
        return values;
    }

    [Fact]
    public void AModelThatIsNoLlamaIsRefused()
    {
        Save("model.norm=layernorm");
        var (code, _, error) = CommandRun.Of("export", At("run"), "--to", At("model"));
        Assert.Equal(2, code);
        Assert.Contains("Llama's kind", error);
        Assert.False(Directory.Exists(At("model")));
    }

    private const string Tied = "model.tied_embeddings=true";

    private string Exported(params string[] overrides)
    {
        Save(overrides);
        CommandRun.Ok("export", At("run"), "--to", At("model"));
        return At("model");
    }

    /// <summary>A folder's name is a name, whatever YAML would make of it.</summary>
    [Fact]
    public void ARunMayHaveAnyName()
    {
        CommandRun.Ok("import", Exported(Tied), "--to", At("x #y: [z]"));
        var value = ConfigurationLoader.Load(At("x #y: [z]/config.yaml")).Value;
        Assert.Equal(("x #y: [z]", At("x #y: [z]")), (value.Name, value.RunDirectory));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("x #y: [z]/config.yaml")));
    }

    [Theory]
    [InlineData("num_hidden_layers", "2", "has no tensor 'model.layers.1.")]
    [InlineData("vocab_size", "13", "'model.embed_tokens.weight' has the shape [12, 8], the model of config.json wants [13, 8]")]
    [InlineData("tie_word_embeddings", "false", "has no tensor 'lm_head.weight'")]
    [InlineData("attention_bias", "true", "has no tensor 'model.layers.0.self_attn.q_proj.bias'")]
    [InlineData("num_attention_heads", "0", "num_attention_heads is 0, but must be a whole number of at least 1")]
    [InlineData("sliding_window", "16", "sliding_window is 16, which Uniscale's Llama does not have")]
    [InlineData("num_key_value_heads", "3", "model.kv_heads is 3, which does not divide model.heads (2)")]
    public void AFolderThatIsAnotherModelIsRefusedAndNothingIsMade(string key, string value, string expected)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Exported(Tied), "config.json")))!.AsObject();
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(At("model/config.json"), config.ToJsonString());
        Assert.Contains(expected, CommandRun.Refused("import", At("model"), "--to", At("back")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(At("back")));
    }

    [Fact]
    public void ATokenizerThatIsNotReadIsRefusedUnlessTheWeightsAreEnough()
    {
        File.WriteAllText(Path.Combine(Exported(Tied), "tokenizer.json"), "{}");
        Assert.Contains(
            "tokenizer.json is no tokenizer.json that Uniscale can follow to the letter: it has no model",
            CommandRun.Refused("import", At("model"), "--to", At("back")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "No tokenizer was taken over",
            CommandRun.Ok("import", At("model"), "--to", At("back"), "--no-tokenizer"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AnExportThatDoesNotFindTheTokenizerIsRefused()
    {
        Save(Tied, "data.tokenizer=nowhere/t.model");
        Assert.Contains(
            "The tokenizer nowhere/t.model of the run is not there",
            CommandRun.Refused("export", At("run"), "--to", At("model")),
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(At("model")));
        CommandRun.Ok("export", At("run"), "--to", At("model"), "--no-tokenizer");
        Assert.Contains(
            "already holds a model",
            CommandRun.Refused("export", At("run"), "--to", At("model"), "--no-tokenizer"),
            StringComparison.Ordinal
        );
    }

    /// <summary>Whatever bytes a weight file has, the exit code is 2 and nothing is left.</summary>
    [Fact]
    public void DamagedWeightsAreTheUsers()
    {
        string path = Path.Combine(Exported(Tied), "model.safetensors");
        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(7);
        for (int round = 0; round < 200; round++)
        {
            byte[] bytes = (byte[])whole.Clone();
            for (int edits = 0; edits < 3; edits++)
                bytes[random.Next(Math.Min(bytes.Length, 1200))] = (byte)random.Next(256);
            File.WriteAllBytes(path, round % 4 == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            var (code, _, error) = CommandRun.Of("import", At("model"), "--to", At("back"));
            Assert.True(code is 0 or 2, $"{code} {error}");
            Assert.DoesNotContain("--debug", error, StringComparison.Ordinal);
            if (code == 2)
                Assert.False(Directory.Exists(At("back")));
            else
                Directory.Delete(At("back"), recursive: true);
        }
    }

    [Fact]
    public void ADamagedCheckpointIsTheUsers()
    {
        Save(Tied);
        string manifest = At("run/checkpoints/step-00000005/manifest.json");
        File.WriteAllText(manifest, "{}");
        Assert.Contains(
            "manifest.json is not what was written",
            CommandRun.Refused("export", At("run/checkpoints/step-00000005"), "--to", At("model")),
            StringComparison.Ordinal
        );
        Assert.Contains("is good", CommandRun.Refused("checkpoint", "inspect", At("run")), StringComparison.Ordinal);
        Assert.Contains("is good", CommandRun.Refused("generate", At("run")), StringComparison.Ordinal);
    }

    /// <summary>A run keeps a copy of its tokenizer, which is found from any working directory.</summary>
    [Theory]
    [InlineData("run")]
    [InlineData("run/checkpoints")]
    [InlineData("run/checkpoints/step-00000005")]
    public void TheRunsOwnTokenizerIsFoundFromAnywhere(string path)
    {
        Save(Tied);
        Assert.Null(RunTokenizer.Find(At(path), "nowhere/t.model"));
        File.WriteAllText(At("run/config.yaml"), "");
        File.WriteAllText(At("run/tokenizer.model"), "");
        Assert.Equal(At("run/tokenizer.model"), RunTokenizer.Find(At(path), "nowhere/t.model"));
    }
}
