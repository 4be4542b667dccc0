using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Saving;

/// <summary>Saves that do not go as wished: training goes on, the reason is one sentence, what was good stays.</summary>
public sealed class SaveOutcomeTests
{
    private static Tensors Model(int rank) =>
        new Tensors().Add("cut", ElementType.Float32, [2, 5000], [rank, 0], [1, 5000]).Add("whole", ElementType.BFloat16, [33]);

    [Fact]
    public void WithoutRoomNothingIsWritten()
    {
        using var folder = new TempFolder();
        var results = ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank);
                using var store = new CheckpointStore(folder.Path, world, new CheckpointOptions { ReserveBytes = 1L << 60 });
                return store.SaveAsync(model.State(1)).Wait();
            }
        );
        Assert.All(results, result => Assert.Equal(SaveStatus.NoSpace, result.Status));
        Assert.Matches("^it needs .* MB with the reserve, .* has .* MB free: make room there$", results[1].Reason);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData(SavePoint.FirstBlockWritten, 0, FileGrouping.Rank)]
    [InlineData(SavePoint.FirstBlockWritten, 1, FileGrouping.Rank)]
    [InlineData(SavePoint.FirstBlockWritten, 1, FileGrouping.Node)]
    [InlineData(SavePoint.DataSynced, 1, FileGrouping.Rank)]
    [InlineData(SavePoint.DataSynced, 0, FileGrouping.Node)]
    [InlineData(SavePoint.Announced, 0, FileGrouping.Rank)]
    [InlineData(SavePoint.AllDurable, 0, FileGrouping.Rank)]
    [InlineData(SavePoint.MarkerWritten, 0, FileGrouping.Rank)]
    public void AWriteThatFailsOnOneRankFailsOnAllAndLeavesTheOlderOne(SavePoint point, int rank, FileGrouping files)
    {
        using var folder = new TempFolder();
        var results = ThreadWorld.Run(
            2,
            world =>
            {
                bool broken = false;
                using var model = Model(world.Rank).Fill(1);
                using var store = new CheckpointStore(
                    folder.Path,
                    world,
                    new CheckpointOptions
                    {
                        Files = files,
                        Probe = reached =>
                        {
                            if (broken && reached == point && world.Rank == rank)
                                throw new IOException("No space left on device");
                        },
                    }
                );
                Assert.Equal(SaveStatus.Durable, store.Save(model.State(1)).Status);
                broken = true;
                var result = store.SaveAsync(model.Fill(2).State(2)).Wait();
                broken = false;
                Assert.Equal(1, store.LoadNewest(_ => model.Slices)!.Manifest.Step);
                Assert.Null(model.FirstDifference(1));
                Assert.Equal(SaveStatus.Durable, store.SaveAsync(model.State(3)).Wait().Status);
                return result;
            }
        );
        Assert.All(results, result => Assert.Equal(SaveStatus.Failed, result.Status));
        Assert.All(results, result => Assert.Contains("No space left on device", result.Reason));
        Assert.Equal(["step-00000001", "step-00000003"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void ARankThatIsNotDurableInTimeIsNamedAndWhatItSaysLaterIsPassedOver()
    {
        using var folder = new TempFolder();
        using var given = new CountdownEvent(1);
        var results = ThreadWorld.Run(
            3,
            world =>
            {
                using var model = Model(world.Rank % 2);
                if (world.Rank == 2)
                    model.Slices.Clear();
                var options = new CheckpointOptions
                {
                    DurableTimeout = TimeSpan.FromSeconds(world.Rank == 0 ? 2 : 60),
                    Host = $"host-{world.Rank}",
                    Probe = point =>
                    {
                        if (point == SavePoint.DataSynced && world.Rank == 1 && !given.IsSet)
                            given.Wait();
                    },
                };
                using var store = new CheckpointStore(folder.Path, world, options);
                var tensors = Model(0).Slices.Select(slice => new StateTensor(slice.Name, slice.Type, slice.GlobalShape)).ToArray();
                var state = model.State(1) with { Tensors = tensors };
                var late = store.SaveAsync(state);
                if (world.Rank == 0)
                {
                    late.Wait();
                    given.Signal();
                }
                return (late.Wait(), store.SaveAsync(state with { Step = 2 }).Wait());
            }
        );
        Assert.All(results, result => Assert.Equal("waited 2 s for rank 1 to be durable, in vain", result.Item1.Reason));
        Assert.All(results, result => Assert.Equal(SaveStatus.Durable, result.Item2.Status));
    }

    [Fact]
    public void RanksOfAHostWriteOneFile()
    {
        using var folder = new TempFolder();
        var results = ThreadWorld.Run(
            4,
            world =>
            {
                // Two ranks a host, in turns; the last has nothing of its own.
                using var model = new Tensors()
                    .Add("whole", ElementType.Float32, [700], holders: [0, 1])
                    .Add("cut", ElementType.BFloat16, [3, 5000], [world.Rank, 0], [1, 5000])
                    .Fill(1);
                if (world.Rank == 3)
                    model.Slices.Clear();
                var tensors = new[]
                {
                    new StateTensor("whole", ElementType.Float32, [700]),
                    new StateTensor("cut", ElementType.BFloat16, [3, 5000]),
                };
                if (world.Rank == 2)
                    model.Slices.RemoveAt(0);
                var options = new CheckpointOptions { Files = FileGrouping.Node, Host = $"host-{world.Rank % 2}" };
                using var store = new CheckpointStore(folder.Path, world, options);
                return store.SaveAsync(model.State(1) with { Tensors = tensors }).Wait();
            }
        );
        Assert.All(results, result => Assert.Equal("", result.Reason));
        string checkpoint = results[0].Path;
        Assert.Equal(
            ["COMMITTED", "manifest.json", "node-00000.safetensors", "node-00001.safetensors"],
            Directory.GetFiles(checkpoint).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
        using (var file = SafeTensorsFile.Open(Path.Combine(checkpoint, "node-00000.safetensors")))
            Assert.Equal(
                ["checkpoint.digests.00000", "checkpoint.digests.00002", "cut@0,0:1,5000", "cut@2,0:1,5000", "whole"],
                file.Header.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal)
            );

        var reader = CheckpointReader.Open(checkpoint);
        Assert.Empty(reader.Verify());
        using var all = new Tensors().Add("whole", ElementType.Float32, [700]).Add("cut", ElementType.BFloat16, [3, 5000]);
        reader.Load(all.Slices);
        Assert.Null(all.FirstDifference(1));

        using (var file = File.OpenHandle(Path.Combine(checkpoint, "node-00000.safetensors"), FileMode.Open, FileAccess.ReadWrite))
            RandomAccess.Write(file, [0x55], RandomAccess.GetLength(file) - 5000);
        Assert.Contains("node-00000.safetensors", Assert.Single(reader.Verify()));
    }

    [Fact]
    public void ADiskThatLiesIsFoundByReadingBack()
    {
        using var folder = new TempFolder();
        var result = ThreadWorld.Run(
            1,
            world =>
            {
                using var model = Model(0).Add("cut", ElementType.Float32, [2, 5000], [1, 0], [1, 5000]);
                using var store = new CheckpointStore(folder.Path, world, new CheckpointOptions { Probe = FlipAByte });
                return store.Save(model.State(1));
            }
        )[0];
        Assert.Equal(SaveStatus.Failed, result.Status);
        Assert.Contains("reads back otherwise than it was written", result.Reason);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));

        void FlipAByte(SavePoint point)
        {
            if (point != SavePoint.DataSynced)
                return;
            string path = Directory
                .GetFiles(folder.Path, "*.safetensors", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
                .Single();
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.Write(file, [0x55], 9000);
        }
    }

    [Theory]
    [InlineData(BusyPolicy.Skip, SaveStatus.Skipped)]
    [InlineData(BusyPolicy.Wait, SaveStatus.Durable)]
    public void ASaveDuringASaveNeverPilesUp(BusyPolicy policy, SaveStatus expected)
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var slow = new ManualResetEventSlim();
                int writing = 0;
                using var model = Model(world.Rank).Fill(1);
                using var store = new CheckpointStore(
                    folder.Path,
                    world,
                    new CheckpointOptions
                    {
                        Busy = policy,
                        Probe = point =>
                        {
                            if (point != SavePoint.FirstBlockWritten || world.Rank != 1)
                                return;
                            Assert.Equal(1, Interlocked.Increment(ref writing));
                            slow.Wait(policy == BusyPolicy.Wait ? 100 : Timeout.Infinite);
                            Interlocked.Decrement(ref writing);
                        },
                    }
                );
                var first = store.SaveAsync(model.State(1));
                var second = store.SaveAsync(model.State(2));
                slow.Set();
                Assert.Equal((SaveStatus.Durable, expected), (first.Wait().Status, second.Wait().Status));
                return 0;
            }
        );
    }

    [Fact]
    public void StagedAndDurableAreTwoEvents()
    {
        using var folder = new TempFolder();
        var observer = new Observer();
        ThreadWorld.Run(
            1,
            world =>
            {
                using var model = Model(0).Add("cut", ElementType.Float32, [2, 5000], [1, 0], [1, 5000]);
                using var store = new CheckpointStore(folder.Path, world, new CheckpointOptions { Observer = observer });
                store.Prepare(model.Slices, behind: true);
                store.SaveAsync(model.State(4)).Wait();
                return 0;
            }
        );
        Assert.Equal(4, observer.LastStaged!.Step);
        var ended = observer.LastEnded!;
        Assert.Equal(SaveStatus.Durable, ended.Status);
        Assert.Equal(observer.LastStaged.SizeBytes, ended.SizeBytes);
        Assert.Equal(new FileInfo(Path.Combine(ended.Path, "rank-00000.safetensors")).Length, ended.SizeBytes);
        Assert.True(
            ended.Staging <= ended.Blocked
                && ended.Blocked <= ended.Total
                && ended.Writing > TimeSpan.Zero
                && ended.ReadBack > TimeSpan.Zero
        );
    }

    [Fact]
    public void AStateThatTheHostBufferMayNotHoldIsWrittenWhileTrainingWaits()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank).Fill(1);
                using var store = new CheckpointStore(
                    folder.Path,
                    world,
                    new CheckpointOptions { StagingLimitBytes = 1000, Direct = world.Rank == 0 }
                );
                var pending = store.SaveAsync(model.State(1));
                Assert.True(pending.Completion.IsCompleted);
                model.Fill(2);
                store.LoadNewest(_ => model.Slices);
                Assert.Null(model.FirstDifference(1));
                return 0;
            }
        );
    }

    [Fact]
    public void AllDamagedIsAFailureAndNotAFreshStart()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model(world.Rank);
                using var store = new CheckpointStore(folder.Path, world);
                store.Save(model.State(1));
                if (world.Rank == 0)
                    File.Delete(Path.Combine(folder["step-00000001"], "COMMITTED"));
                Assert.Contains(
                    "no checkpoint",
                    Assert.Throws<CheckpointDamagedException>(() => store.LoadNewest(_ => model.Slices)).Message
                );
                return 0;
            }
        );
    }

    private sealed class Observer : ISaveObserver
    {
        public SaveStaged? LastStaged { get; private set; }

        public SaveResult? LastEnded { get; private set; }

        public void Staged(SaveStaged staged) => LastStaged = staged;

        public void Ended(SaveResult result) => LastEnded = result;
    }
}
