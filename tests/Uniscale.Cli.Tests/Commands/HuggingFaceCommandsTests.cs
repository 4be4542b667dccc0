using System.Runtime.InteropServices;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;

namespace Uniscale.Cli.Tests.Commands;

public sealed class HuggingFaceCommandsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-hugging-face-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private void Save(params string[] overrides)
    {
        var configuration = ConfigurationLoader.Parse("",
            ["name=small", "train.steps=10", "model.layers=1", "model.hidden=8", "model.heads=2", "model.ffn=24", "model.context=32", "model.vocabulary=12", .. overrides]);
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(At("run/checkpoints"), world);
        var weights = Enumerable.Range(0, 96).Select(i => i * 0.1f).ToArray();
        var pin = GCHandle.Alloc(weights, GCHandleType.Pinned);
        var slice = (string name, long[] shape) => new StateSlice(name, ElementType.Float32, shape, new long[shape.Length], shape, pin.AddrOfPinnedObject());
        store.Save(new CheckpointState
        {
            Step = 5,
            ConsumedTokens = 1,
            ConfigurationYaml = configuration.ToYaml(),
            Slices = [slice("embedding.tokens.weight", [12, 8]), slice("head.norm.weight", [8]), slice("optimizer.m/head.norm.weight", [8])],
        });
        pin.Free();
    }

    [Fact]
    public void AModelGoesOutAndComesBack()
    {
        Save("model.kv_heads=1", "model.rope_scaling=linear", "model.rope_factor=4", "model.tied_embeddings=true", "model.norm_epsilon=1e-6");
        var (code, output, error) = CommandRun.Of("export", At("run"), "--to", At("model"));
        Assert.True(code == 0, error);
        Assert.Contains("2 tensors of step 5", output);
        var config = LlamaConfig.Read(At("model"));
        Assert.Equal((8, 24, 1, 2, 1, 4, 32, 12), (config.HiddenSize, config.IntermediateSize, config.NumHiddenLayers, config.NumAttentionHeads,
            config.NumKeyValueHeads, config.HeadDim, config.MaxPositionEmbeddings, config.VocabSize));
        Assert.Equal(("linear", 4.0, true, 1e-6, "float32"), (config.RopeScaling!.Type, config.RopeScaling.Factor, config.TieWordEmbeddings, config.RmsNormEps, config.TorchDtype));

        (code, _, error) = CommandRun.Of("import", At("model"), "--to", At("back"));
        Assert.True(code == 0, error);
        var back = CheckpointReader.Open(CheckpointCatalog.Find(At("back")));
        var model = ConfigurationLoader.Parse(back.Manifest.ConfigurationYaml).Value.Model;
        Assert.Equal((8, 24, 1, 2, 1, 4, 32, 12), (model.Hidden, model.FfnWidth, model.Layers, model.Heads, model.KvHeadCount, model.HeadWidth, model.Context, model.Vocabulary));
        Assert.Equal((RopeScalingKind.Linear, 4.0, true, 1e-6), (model.RopeScaling, model.RopeFactor, model.TiedEmbeddings, model.NormEpsilon));
        Assert.Contains("2 of 3 tensors are bit-equal", CommandRun.Of("checkpoint", "diff", At("run"), At("back")).Output);
        Assert.True(File.Exists(At("back/config.yaml")));
        Assert.Equal(2, CommandRun.Of("import", At("model"), "--to", At("back")).Code);
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
}
