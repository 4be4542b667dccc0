using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Nccl;
using Uniscale.Collectives.Nccl.Ordering;
using Uniscale.Collectives.Tests.Conformance;
using Uniscale.NcclEmulation;

namespace Uniscale.Collectives.Tests.Nccl;

/// <summary>Order between communication and compute, and between the operations of several groups.</summary>
[Collection(NcclTests.Name)]
public sealed class NcclOrderTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The mutation: with one of the two event waits taken out (1: that of communication for compute, 2: that of compute for
    /// communication), results are
    /// wrong. What has to be waited for is slow, so it is so each time.
    /// </summary>
    [Theory]
    [InlineData("all-reduce Float32", 1)]
    [InlineData("all-reduce Float32", 2)]
    [InlineData("all-gather BFloat16", 1)]
    [InlineData("all-gather BFloat16", 2)]
    [InlineData("messages Int32", 1)]
    [InlineData("messages Int32", 2)]
    public void AWaitThatIsTakenOutFailsTheSuite(string name, int streams)
    {
        using var slow = NcclEmulator.With(streams == 1 ? "compute_delay" : "communication_delay", 30_000);
        void Suite() => NcclRanks.RunAll(2, world => ConformanceSuite.Cases[name](new StreamedWorld(world, world.Rank)));
        Suite();
        using var mutation = NcclEmulator.With("skip_waits", streams);
        Assert.Matches(@"element \d+ is \d+, not \d+", Assert.ThrowsAny<Exception>(Suite).Message);
    }

    [Fact]
    public void WaitingDoesNotHoldTheHostOfADevice()
    {
        // The first kernel never ends.
        using var silent = NcclEmulator.With("error", 0);
        using var lost = NcclEmulator.With("error_after", 1);
        long hostWaits = NcclEmulator.Get("host_waits");
        NcclRanks.RunAll(
            2,
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Float32, 1000, _ => 1);
                var work = world.Group.AllReduce(buffer.Buffer);
                work.Wait();
                Assert.False(work.IsCompleted);
                world.HostGroup.Barrier().Wait();
                world.Abort("seen");
                work.WaitRegardless();
                Assert.True(work.IsCompleted);
            }
        );
        Assert.Equal(hostWaits, NcclEmulator.Get("host_waits"));
    }

    [Fact]
    public void OperationsPostedInDifferentOrdersEndWhereADeviceHasOneSlot()
    {
        using var slot = NcclEmulator.With("one_slot", 1);
        NcclRanks.RunAll(2, world => PostInverted(world).ForEach(work => work.WaitRegardless()));
    }

    /// <summary>The emulator is no kinder than NCCL: launched as posted, the same operations hang, and the journals say which.</summary>
    [Fact]
    public void LaunchedAsPostedTheyHangAndTheJournalNamesThem()
    {
        using var slot = NcclEmulator.With("one_slot", 1);
        var worlds = new NcclWorld[2];
        var threads = InProcessWorld
            .Create(2)
            .Select(control => new Thread(() =>
            {
                worlds[control.Rank] = NcclWorld.Join(control, new NcclDevice(control.Rank), new AsPosted());
                PostInverted(worlds[control.Rank]);
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => Assert.True(thread.Join(Patience)));
        bool BothAreLaunched() => worlds.All(world => world.Journal.Pending().Count(entry => entry.State == OperationState.Started) == 2);
        Assert.True(SpinWait.SpinUntil(BothAreLaunched, Patience));
        // A moment in which they would have ended.
        Thread.Sleep(300);
        string[] Names(int rank) => [.. worlds[rank].Journal.Pending().Select(entry => entry.ToString())];
        string one = "operation 0 of group one[0,1]: all-reduce (Sum) of 1,000 Float32 (3.9 KiB) [started]",
            two = one.Replace("one[", "two[", StringComparison.Ordinal);
        Assert.Equal([one, two], Names(0));
        Assert.Equal([two, one], Names(1));
        worlds[0].Abort("seen");
        Assert.True(SpinWait.SpinUntil(() => worlds.All(world => world.Journal.Pending().Count == 0), Patience));
        Array.ForEach(worlds, world => world.Dispose());
    }

    /// <summary>All-reduces of two groups, by rank 0 in one order and by rank 1 in the other.</summary>
    private static List<IWork> PostInverted(NcclWorld world)
    {
        var groups = new[] { world.CreateGroup([0, 1], "one")!, world.CreateGroup([0, 1], "two")! };
        // The memory stays until the process ends: what hangs may still touch it.
        return
        [
            .. (world.Rank == 0 ? groups : groups.Reverse()).Select(group =>
                group.AllReduce(new NativeBuffer(ElementType.Float32, 1000, _ => 1).Buffer)
            ),
        ];
    }

    /// <summary>Launches what is posted at once, as a program does that trusts its own order.</summary>
    private sealed class AsPosted : ILaunchOrder<NcclOperation>
    {
        private readonly Queue<NcclOperation> _waiting = new();

        public IReadOnlyCollection<NcclOperation> Waiting => _waiting;

        public void Enter(NcclOperation operation) => _waiting.Enqueue(operation);

        public bool Advance() => false;

        public bool TryTake(List<NcclOperation> together)
        {
            if (!_waiting.TryDequeue(out var operation))
                return false;
            together.Add(operation);
            return true;
        }
    }
}
