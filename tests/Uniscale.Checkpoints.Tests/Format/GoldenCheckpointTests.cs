using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Checkpoints.Tests.Support;

namespace Uniscale.Checkpoints.Tests.Format;

/// <summary>
/// Checkpoints of every format version ever written stay readable. Golden/format-N was written once, by
/// <c>Uniscale.Checkpoints.Tests write-golden FOLDER</c> of that version; never write one of them anew.
/// </summary>
public sealed class GoldenCheckpointTests
{
    public const int Version = 9;

    private static string Folder(int format) => Path.Combine(AppContext.BaseDirectory, "Golden", $"format-{format}");

    /// <summary>Writes a checkpoint of the current format by two ranks.</summary>
    internal static void Write(string folder) => ThreadWorld.Run(SavingChild.Ranks, world =>
    {
        using var model = SavingChild.Model(world.Rank).Fill(Version);
        using var store = new CheckpointStore(folder, world);
        return store.Save(model.State(42) with { Keep = true }).Status;
    });

    [Theory]
    [InlineData(1)]
    public void AGoldenCheckpointIsReadAsItWasWritten(int format)
    {
        using var one = SavingChild.Model(0);
        using var other = SavingChild.Model(1);
        var reader = CheckpointReader.Open(Path.Combine(Folder(format), "step-00000042"));
        Assert.Empty(reader.Verify());
        reader.Load([.. one.Slices, .. other.Slices]);
        Assert.Null(one.FirstDifference(Version) ?? other.FirstDifference(Version));
        var manifest = reader.Manifest;
        Assert.Equal((format, 42L, 42_000L, true, 2), (manifest.FormatVersion, manifest.Step, manifest.ConsumedTokens, manifest.Keep, manifest.WorldSize));
        Assert.Equal(one.State(42).ConfigurationYaml, manifest.ConfigurationYaml);
        Assert.Equal(one.State(42).Extra, manifest.Extra);
    }

    [Fact]
    public void ItsFilesAreSafetensorsWithPlainNamesForWholeTensors()
    {
        var names = new List<string>();
        foreach (string path in Directory.GetFiles(Path.Combine(Folder(1), "step-00000042"), "*.safetensors"))
        {
            using var file = SafeTensorsFile.Open(path);
            names.AddRange(file.Header.Entries.Select(entry => entry.Name));
        }
        Assert.Equal(["also whole", "cut@0,0:4,300", "cut@4,0:4,300", "whole"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AFormatOfTheFutureIsRefusedBySentence()
    {
        using var folder = new TempFolder();
        Write(folder.Path);
        string checkpoint = folder["step-00000042"];
        var manifest = CheckpointReader.Open(checkpoint).Manifest with { FormatVersion = 2 };
        byte[] json = manifest.ToJson();
        File.WriteAllBytes(Path.Combine(checkpoint, "manifest.json"), json);
        var marker = new Checkpoints.Format.CommitMarker(42, 1, true, "a", json.Length, Checkpoints.Format.Digest.Of(json));
        File.WriteAllBytes(Path.Combine(checkpoint, "COMMITTED"), marker.ToBytes());
        Assert.Contains("has format 2", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(checkpoint)).Message);
    }
}
