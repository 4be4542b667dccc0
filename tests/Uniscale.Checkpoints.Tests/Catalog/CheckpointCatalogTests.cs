using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Catalog;

public sealed class CheckpointCatalogTests
{
    private static void Save(string directory, int ranks, CheckpointOptions options, params long[] steps) =>
        ThreadWorld.Run(
            ranks,
            world =>
            {
                using var model = Model(world.Rank, ranks);
                using var store = new CheckpointStore(directory, world, options);
                foreach (long step in steps)
                    Assert.Equal(SaveStatus.Durable, store.Save(model.Fill((int)step).State(step) with { Keep = step % 50 == 0 }).Status);
                return 0;
            }
        );

    private static Tensors Model(int rank, int ranks) =>
        new Tensors().Add("w", ElementType.Float32, [8, 4], [8 / ranks * rank, 0], [8 / ranks, 4]).Add("b", ElementType.BFloat16, [5]);

    private static IEnumerable<long> Steps(string directory) => CheckpointCatalog.List(directory).Select(entry => entry.Step);

    [Fact]
    public void RetentionKeepsTheNewestEveryNthAndTheMarked()
    {
        using var folder = new TempFolder();
        Save(folder.Path, 1, new CheckpointOptions { Keep = 2, KeepEvery = 4 }, 10, 20, 30, 40, 50, 60, 70, 80, 90);
        // 40 and 80 are the fourth and the eighth save, 50 is marked, 80 and 90 are the newest.
        Assert.Equal([90L, 80, 50, 40], Steps(folder.Path));
        Assert.Equal(40, Assert.Single(CheckpointCatalog.Superfluous(folder.Path, keep: 2, keepEvery: 0)).Step);
        Assert.Single(CheckpointCatalog.Prune(folder.Path, keep: 2, keepEvery: 0));
        Assert.Equal([90L, 80, 50], Steps(folder.Path));
    }

    [Fact]
    public void ASaveAfterARollBackIsTheNewestThoughItsStepIsLower()
    {
        using var folder = new TempFolder();
        Save(folder.Path, 1, new CheckpointOptions { Keep = 2 }, 101, 110, 90);
        Assert.Equal([90L, 110], Steps(folder.Path));
        Save(folder.Path, 1, new CheckpointOptions { Keep = 2 }, 101);
        Assert.Equal([101L, 90], Steps(folder.Path));
    }

    [Fact]
    public void ASaveOfTheSameStepTakesThePlaceOfTheOldOne()
    {
        using var folder = new TempFolder();
        Save(folder.Path, 2, new CheckpointOptions(), 7);
        Save(folder.Path, 1, new CheckpointOptions(), 7);
        Assert.Equal(1, Assert.Single(CheckpointCatalog.List(folder.Path)).Manifest!.WorldSize);
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void NothingIsPrunedWhileTheNewestIsDamaged()
    {
        using var folder = new TempFolder();
        Save(folder.Path, 1, new CheckpointOptions { Keep = 0 }, 1, 2, 3);
        string path = Path.Combine(CheckpointCatalog.Find(folder.Path), "rank-00000.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        Assert.Contains(
            "nothing was pruned",
            Assert.Throws<CheckpointDamagedException>(() => CheckpointCatalog.Prune(folder.Path, 1, 0)).Message
        );
        Assert.Equal([3L, 2, 1], Steps(folder.Path));
    }

    [Fact]
    public void APathMayBeARunACheckpointDirectoryOrACheckpoint()
    {
        using var folder = new TempFolder();
        string directory = folder["checkpoints"];
        Save(directory, 1, new CheckpointOptions(), 1, 2);
        string newest = Path.Combine(directory, "step-00000002");
        Assert.Equal(newest, CheckpointCatalog.Find(folder.Path));
        Assert.Equal(newest, CheckpointCatalog.Find(directory));
        Assert.Equal(newest, CheckpointCatalog.Find(newest));
        Assert.EndsWith("step-00000001", CheckpointCatalog.Find(folder.Path, 1));
        Assert.Contains("there are 1, 2", Assert.Throws<CheckpointException>(() => CheckpointCatalog.Find(folder.Path, 3)).Message);
        File.Delete(Path.Combine(newest, "COMMITTED"));
        Assert.EndsWith("step-00000001", CheckpointCatalog.Find(folder.Path));
        Assert.Contains("not committed", CheckpointCatalog.List(directory)[^1].Problem);
    }

    [Fact]
    public void DiffIsByTensorAndBlindToLayouts()
    {
        using var folder = new TempFolder();
        Save(folder["a"], 1, new CheckpointOptions(), 1);
        Save(folder["b"], 4, new CheckpointOptions(), 1);
        Assert.All(Diff(folder["a"], folder["b"]), difference => Assert.True(difference.BitEqual));

        ThreadWorld.Run(
            1,
            world =>
            {
                using var model = new Tensors()
                    .Add("w", ElementType.Float32, [8, 4])
                    .Add("b", ElementType.BFloat16, [6])
                    .Add("c", ElementType.Int32, [1])
                    .Fill(1);
                BitConverter.TryWriteBytes(PageMemory.Span(model.Slices[0].Address + 20, 4), 5f);
                using var store = new CheckpointStore(folder["c"], world);
                return store.Save(model.State(1));
            }
        );
        var differences = Diff(folder["a"], folder["c"]);
        Assert.Equal(["b", "c", "w"], differences.Select(difference => difference.Name));
        Assert.Equal(["[5] and [6]", "only in the second", null], differences.Select(difference => difference.Difference));
        Assert.Equal(1, differences[2].DifferentCount);
    }

    private static TensorDifference[] Diff(string first, string second) =>
        [
            .. CheckpointDiff.Compare(
                CheckpointReader.Open(CheckpointCatalog.Find(first)),
                CheckpointReader.Open(CheckpointCatalog.Find(second))
            ),
        ];
}
