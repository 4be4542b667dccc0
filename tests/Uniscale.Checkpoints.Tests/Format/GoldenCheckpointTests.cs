using System.Text;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Format;
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
    internal static void Write(string folder) =>
        ThreadWorld.Run(
            SavingChild.Ranks,
            world =>
            {
                using var model = SavingChild.Model(world.Rank).Fill(Version);
                using var store = new CheckpointStore(folder, world);
                return store.Save(model.State(42) with { Keep = true }).Status;
            }
        );

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AGoldenCheckpointIsReadAsItWasWritten(int format)
    {
        using var one = SavingChild.Model(0);
        using var other = SavingChild.Model(1);
        var reader = CheckpointReader.Open(Path.Combine(Folder(format), "step-00000042"));
        Assert.Empty(reader.Verify());
        reader.Load([.. one.Slices, .. other.Slices]);
        Assert.Null(one.FirstDifference(Version) ?? other.FirstDifference(Version));
        var manifest = reader.Manifest;
        Assert.Equal(
            (format, 42L, 42_000L, true, 2),
            (manifest.FormatVersion, manifest.Step, manifest.ConsumedTokens, manifest.Keep, manifest.WorldSize)
        );
        Assert.Equal(one.State(42).ConfigurationYaml, manifest.ConfigurationYaml);
        Assert.Equal(one.State(42).Extra, manifest.Extra);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ARunGoesOnFromItInTheFormatOfToday(int format)
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder["step-00000042"]);
        foreach (string path in Directory.GetFiles(Path.Combine(Folder(format), "step-00000042")))
            File.Copy(path, Path.Combine(folder["step-00000042"], Path.GetFileName(path)));
        ThreadWorld.Run(
            SavingChild.Ranks,
            world =>
            {
                using var model = SavingChild.Model(world.Rank);
                using var store = new CheckpointStore(folder.Path, world);
                Assert.Equal(format, store.LoadNewest(_ => model.Slices)!.Manifest.FormatVersion);
                Assert.Null(model.FirstDifference(Version));
                return store.Save(model.State(43)).Status;
            }
        );
        Assert.Equal(
            [(43L, CheckpointManifest.CurrentFormat), (42L, format)],
            CheckpointCatalog.List(folder.Path).Select(entry => (entry.Step, entry.Manifest!.FormatVersion))
        );
        var (old, today) = (CheckpointReader.Open(folder["step-00000042"]), CheckpointReader.Open(folder["step-00000043"]));
        Assert.All(CheckpointDiff.Compare(old, today), tensor => Assert.True(tensor.BitEqual));
    }

    [Theory]
    [InlineData(1, "also whole", "cut@0,0:4,300", "cut@4,0:4,300", "whole")]
    [InlineData(2, "also whole", "checkpoint.digests", "checkpoint.digests", "cut@0,0:4,300", "cut@4,0:4,300", "whole")]
    public void ItsFilesAreSafetensorsWithPlainNamesForWholeTensors(int format, params string[] expected)
    {
        var names = new List<string>();
        foreach (string path in Directory.GetFiles(Path.Combine(Folder(format), "step-00000042"), "*.safetensors"))
        {
            using var file = SafeTensorsFile.Open(path);
            names.AddRange(file.Header.Entries.Select(entry => entry.Name));
        }
        Assert.Equal(expected, names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AFormatOfTheFutureIsRefusedBySentence()
    {
        using var folder = new TempFolder();
        Write(folder.Path);
        string checkpoint = folder["step-00000042"];
        byte[] json = Encoding.UTF8.GetBytes(
            File.ReadAllText(Path.Combine(checkpoint, "manifest.json"))
                .Replace("\"format_version\": 2", "\"format_version\": 3", StringComparison.Ordinal)
        );
        File.WriteAllBytes(Path.Combine(checkpoint, "manifest.json"), json);
        var marker = new CommitMarker(42, 1, true, "a", json.Length, Digest.Of(json));
        File.WriteAllBytes(Path.Combine(checkpoint, "COMMITTED"), marker.ToBytes());
        Assert.Contains(
            "has format 3; this version of Uniscale reads formats 1 to 2",
            Assert.Throws<CheckpointException>(() => CheckpointReader.Open(checkpoint)).Message
        );
    }
}
