using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Checkpoints.Tiers;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Tiers;

public sealed class TierTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly LocalObjectStore _objects = new();

    public TierTests()
    {
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "test");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "test");
        Environment.SetEnvironmentVariable("AWS_REGION", "us-east-1");
    }

    public void Dispose()
    {
        _objects.Dispose();
        _folder.Dispose();
    }

    private string Location(bool isDirectory) =>
        isDirectory ? _folder["tier"] : $"s3://bucket/my/run?endpoint={Uri.EscapeDataString(_objects.Endpoint)}";

    private static Tensors Model(int rank, int rows = 2) =>
        new Tensors()
            .Add("cut", ElementType.Float32, [rows, 1000], [rank * rows / 2, 0], [rows / 2, 1000])
            .Add("whole", ElementType.BFloat16, [33]);

    private List<string> Save(string location, string directory, int rows, params long[] steps) =>
        Save(location, directory, rows, null, steps);

    private List<string> Save(string location, string directory, int rows, TierOwner? owner, params long[] steps)
    {
        var observer = new Observer();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank, rows);
                using var store = new CheckpointStore(
                    _folder[directory],
                    world,
                    new CheckpointOptions
                    {
                        Tiers = [location],
                        Owner = world.Rank == 0 ? owner : null,
                        Observer = observer,
                        Host = $"host-{world.Rank}",
                    }
                );
                foreach (long step in steps)
                {
                    Assert.Equal(SaveStatus.Durable, store.SaveAsync(model.Fill((int)step).State(step)).Wait().Status);
                    store.Drain();
                }
                return 0;
            }
        );
        return observer.Replications;
    }

    private LoadedCheckpoint?[] Load(string location, string directory, int rows, int values, TierOwner? owner = null) =>
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank, rows);
                using var store = new CheckpointStore(
                    _folder[directory],
                    world,
                    new CheckpointOptions
                    {
                        Tiers = [location],
                        Owner = world.Rank == 0 ? owner : null,
                        Host = $"host-{world.Rank}",
                    }
                );
                var loaded = store.LoadNewest(_ => model.Slices);
                Assert.True(loaded is null || model.FirstDifference(values) is null);
                return loaded;
            }
        );

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ALostDirectoryIsRestoredFromATier(bool isDirectory)
    {
        string location = Location(isDirectory);
        using var tier = TierLocation.Open(location);
        Assert.All(Load(location, "fresh", 2, 0), Assert.Null);
        Assert.Equal([$"1 {tier.Name} ", $"2 {tier.Name} ", $"3 {tier.Name} "], Save(location, "run", 2, 1, 2, 3));
        // The newest two, as in the directory itself: three files each (two ranks' and the manifest) and the marker.
        Assert.Equal(["step-00000002", "step-00000003"], tier.List().Select(key => key.Split('.')[0]).Distinct().Order());
        Assert.Equal(8, tier.List().Count);

        Directory.Delete(_folder["run"], recursive: true);
        foreach (var loaded in Load(location, "run", 2, 3))
        {
            Assert.Equal(3, loaded!.Manifest.Step);
            Assert.Equal($"step-00000003 was brought back from {tier.Name}", Assert.Single(loaded.Notes));
        }
        Assert.Empty(Load(location, "run", 2, 3)[0]!.Notes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADamagedOrUnfinishedCopyIsPassedOver(bool isDirectory)
    {
        string location = Location(isDirectory);
        using var tier = TierLocation.Open(location);
        Save(location, "run", 2, 1, 2);
        Directory.Delete(_folder["run"], recursive: true);
        string victim = tier.List()
            .Single(key =>
                key.StartsWith("step-00000002", StringComparison.Ordinal)
                && key.EndsWith("rank-00001.safetensors", StringComparison.Ordinal)
            );
        byte[] bytes = tier.Read(victim)!;
        bytes[^3] ^= 8;
        File.WriteAllBytes(_folder["changed"], bytes);
        tier.Put(victim, _folder["changed"]);
        tier.Put("step-00000009.abc/rank-00000.safetensors", _folder["changed"]);
        Assert.Equal(1, Load(location, "run", 2, 1)[0]!.Manifest.Step);
    }

    /// <summary>Runs may share a tier: each restores and prunes its own copies, whichever is newer.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CopiesAreOfTheRunThatMadeThem(bool isDirectory)
    {
        string location = Location(isDirectory);
        using var tier = TierLocation.Open(location);
        TierOwner one = new("one.00000001", "/runs/one"),
            two = new("one.0000000", "/runs/two");
        Save(location, "nobodys", 2, 8);
        Save(location, "one", 2, one, 1, 2, 3);
        Save(location, "two", 2, two, 4, 5, 6, 7);
        Assert.Equal(
            [
                "one.0000000/step-00000006",
                "one.0000000/step-00000007",
                "one.00000001/step-00000002",
                "one.00000001/step-00000003",
                "step-00000008",
            ],
            tier.List().Where(key => key.EndsWith("COMMITTED", StringComparison.Ordinal)).Select(key => key[..key.LastIndexOf('.')]).Order()
        );
        Assert.Equal([two, one], TierOwners.Of(location).OrderBy(owner => owner.Id));
        Assert.StartsWith("step-00000008.", TierOwners.Unowned(location));

        Directory.Delete(_folder["one"], recursive: true);
        Assert.Equal(3, Load(location, "one", 2, 3, one)[0]!.Manifest.Step);
        Assert.Null(Load(location, "third", 2, 0, new("three.00000001", "/runs/three"))[0]);
        Assert.Equal(8, Load(location, "fourth", 2, 8)[0]!.Manifest.Step);
    }

    [Fact]
    public void LargeFilesGoInParts()
    {
        string location = Location(isDirectory: false);
        Save(location, "run", 10_000, 1);
        Assert.Equal((2, 4), (_objects.MultipartCount, _objects.PartCount));
        Directory.Delete(_folder["run"], recursive: true);
        Assert.NotNull(Load(location, "run", 10_000, 1)[0]);
    }

    [Fact]
    public void AnUploadThatWasBrokenOffGoesOnWhereItWas()
    {
        string location = Location(isDirectory: false);
        _objects.PartsUntilBroken = 3;
        Assert.Contains("cannot write", Assert.Single(Save(location, "run", 10_000, 1)));
        Assert.DoesNotContain(_objects.Objects.Keys, key => key.EndsWith("COMMITTED", StringComparison.Ordinal));
        _objects.PartsUntilBroken = int.MaxValue;
        // A run that resumes brings to the tiers what they lack, and of that only what is missing.
        Assert.NotNull(Load(location, "run", 10_000, 1)[0]);
        Assert.Equal((2, 4), (_objects.MultipartCount, _objects.PartCount));
        Directory.Delete(_folder["run"], recursive: true);
        Assert.NotNull(Load(location, "run", 10_000, 1)[0]);
    }

    [Fact]
    public void UploadsThatNobodyFinishesAreGivenUp()
    {
        string location = Location(isDirectory: false);
        _objects.PartsUntilBroken = 3;
        Save(location, "run", 10_000, 1);
        Assert.Equal(1, _objects.UnfinishedCount);
        _objects.PartsUntilBroken = int.MaxValue;
        Directory.Delete(_folder["run"], recursive: true);
        Save(location, "run", 2, 2);
        Assert.Equal(0, _objects.UnfinishedCount);
    }

    [Fact]
    public void ADirectoryThatIsAnotherOneOnAnotherHostHoldsNoCopy()
    {
        var observer = new Observer();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank).Fill(1);
                var options = new CheckpointOptions
                {
                    Tiers = [_folder[$"tier-{world.Rank}"]],
                    Host = $"host-{world.Rank}",
                    Observer = observer,
                };
                using var store = new CheckpointStore(_folder["run"], world, options);
                return store.Save(model.State(1)).Status;
            }
        );
        Assert.Contains("a tier must be one place that all hosts of the job reach", Assert.Single(observer.Replications));
        Assert.DoesNotContain(
            Directory.GetFiles(_folder.Path, "COMMITTED", SearchOption.AllDirectories),
            path => path.Contains("tier", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void ACopyThatFailsLeavesNothing()
    {
        using var tier = TierLocation.Open(_folder["tier"]);
        Assert.Throws<CheckpointException>(() =>
            tier.Put("one.2a22c38b/step-00000001.e29f5ed5/rank-00000.safetensors", _folder["pruned meanwhile"])
        );
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder["tier"]));
    }

    [Fact]
    public void AStoreThatFailsIsASentenceAndTrainingGoesOn()
    {
        _objects.Broken = true;
        string replication = Assert.Single(Save(Location(isDirectory: false), "run", 2, 1));
        Assert.StartsWith("1 s3://bucket/my/run s3://bucket/my/run: cannot", replication);
        Assert.Contains("the next checkpoint is tried again", replication);
        Assert.Contains("s3://bucket/prefix was expected", Assert.Throws<CheckpointException>(() => TierLocation.Open("s3://")).Message);
    }

    private sealed class Observer : ISaveObserver
    {
        public List<string> Replications { get; } = [];

        public void Staged(SaveStaged staged) { }

        public void Ended(SaveResult result) { }

        public void Replicated(long step, string tier, string? problem) => Replications.Add($"{step} {tier} {problem}");
    }
}
