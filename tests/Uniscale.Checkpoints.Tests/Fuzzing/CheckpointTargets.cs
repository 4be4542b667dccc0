using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Checkpoints.Tests.Format;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;
using Uniscale.Fuzzing;

namespace Uniscale.Checkpoints.Tests.Fuzzing;

/// <summary>Any bytes are what the format says or one sentence, in the formats of checkpoints and of Hugging Face.</summary>
public sealed class CheckpointTargets : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    internal static void Safetensors(byte[] input) =>
        OneSentence(() =>
        {
            using var stream = new MemoryStream(input);
            var header = SafeTensorsHeader.Read(stream, "input.safetensors");
            Assert.Equal(input.Length, header.SizeBytes + header.Entries.Sum(entry => entry.SizeBytes));
        });

    internal void Config(byte[] input)
    {
        File.WriteAllBytes(_folder["config.json"], input);
        OneSentence(() => Assert.InRange(LlamaConfig.Read(_folder.Path).NumAttentionHeads, 1, int.MaxValue));
    }

    internal void Manifest(byte[] input)
    {
        ManifestRulesTests.Write(_folder["step-00000003"], input);
        OneSentence(() => CheckpointReader.Open(_folder["step-00000003"]).Verify());
    }

    [Fact]
    public void SafetensorsHeaders() => Corpus.Try(Safetensors, "safetensors", mutants: 20_000);

    [Fact]
    public void ConfigurationsOfHuggingFace() => Corpus.Try(Config, "config-json", mutants: 4000);

    [Fact]
    public void Manifests()
    {
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = new Tensors()
                    .Add("w", ElementType.Float32, [8, 4], [world.Rank * 4, 0], [4, 4])
                    .Add("b", ElementType.BFloat16, [4])
                    .Fill(1);
                using var store = new CheckpointStore(_folder.Path, world);
                return store.Save(model.State(3));
            }
        );
        string old = Path.Combine(AppContext.BaseDirectory, "Golden", "format-1", "step-00000042", "manifest.json");
        byte[][] seeds = [File.ReadAllBytes(_folder["step-00000003/manifest.json"]), File.ReadAllBytes(old)];
        foreach (byte[] input in Mutations.Of(seeds, 4000, seed: 23))
            Manifest(input);
    }

    private static void OneSentence(Action read)
    {
        try
        {
            read();
        }
        catch (CheckpointException refused)
        {
            Assert.DoesNotContain('\n', refused.Message);
            Assert.InRange(refused.Message.Length, 1, 10_000);
        }
    }
}
