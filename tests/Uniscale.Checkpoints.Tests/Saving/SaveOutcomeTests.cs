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
    [InlineData(SavePoint.FirstBlockWritten, 0)]
    [InlineData(SavePoint.FirstBlockWritten, 1)]
    [InlineData(SavePoint.DataSynced, 1)]
    [InlineData(SavePoint.AllDurable, 0)]
    [InlineData(SavePoint.MarkerWritten, 0)]
    public void AWriteThatFailsOnOneRankFailsOnAllAndLeavesTheOlderOne(SavePoint point, int rank)
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
        Assert.Contains("No space left on device", results[rank].Reason);
        Assert.Equal(["step-00000001", "step-00000003"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order());
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
