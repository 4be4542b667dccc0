using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Tests.Conformance;

namespace Uniscale.Collectives.Tests.InProcess;

public sealed class InProcessFailureTests
{
    [Fact]
    public void AnAbortedRankFailsWhatOthersWaitForAndWhatComesLater()
    {
        var thrown = RankThreads.Run(
            InProcessWorld.Create(3),
            world =>
            {
                if (world.Rank == 1)
                {
                    Thread.Sleep(20);
                    world.Abort("out of luck");
                    return;
                }
                using var buffer = new NativeBuffer(ElementType.Float32, 100_000);
                var first = Assert.Throws<CollectiveException>(() => world.Group.AllReduce(buffer.Buffer).Wait());
                Assert.Throws<CollectiveException>(() => world.Group.Receive(buffer.Buffer, 1).Wait());
                Assert.Throws<CollectiveException>(() => world.CreateGroup([0], "later"));
                Assert.Throws<CollectiveException>(() => world.Messages.Receive(subject: 1, TimeSpan.FromMinutes(1)));
                throw first;
            }
        );
        Assert.Null(thrown[1]);
        Assert.Contains(
            "rank 0: all-reduce (Sum) of 100,000 Float32 (390.6 KiB), operation 0 of group world, failed: rank 1 aborted the job: out of luck",
            thrown[0]!.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("rank 1 aborted", thrown[2]!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DifferentSizesAreNamedOnBothRanks()
    {
        var thrown = RankThreads.Run(
            InProcessWorld.Create(2),
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Float32, 8 + world.Rank);
                world.Group.Barrier().Wait();
                world.Group.AllReduce(buffer.Buffer).Wait();
            }
        );
        foreach (var exception in thrown)
        {
            Assert.IsType<CollectiveException>(exception);
            Assert.Contains("ranks disagree at operation 1 of group world", exception.Message, StringComparison.Ordinal);
            Assert.Contains("rank 0 posted all-reduce (Sum) of 8 Float32", exception.Message, StringComparison.Ordinal);
            Assert.Contains("rank 1 posted all-reduce (Sum) of 9 Float32", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void DifferentOperationsAreNamed()
    {
        var thrown = RankThreads.Run(
            InProcessWorld.Create(2),
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Float32, 8);
                (world.Rank == 0 ? world.Group.AllReduce(buffer.Buffer) : world.Group.Broadcast(buffer.Buffer, 0)).Wait();
            }
        );
        Assert.All(thrown, exception => Assert.Contains("broadcast from 0 of 8 Float32", exception!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void AMessageOfAnotherLengthIsNamed()
    {
        var thrown = RankThreads.Run(
            InProcessWorld.Create(2),
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Int32, 4 + world.Rank);
                (world.Rank == 0 ? world.Group.Send(buffer.Buffer, 1, 3) : world.Group.Receive(buffer.Buffer, 0, 3)).Wait();
            }
        );
        Assert.All(thrown, exception => Assert.Contains("two sides of a message", exception!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void ARankThatLeavesIsNotWaitedForForEver()
    {
        var thrown = RankThreads.Run(
            InProcessWorld.Create(2),
            world =>
            {
                using (world)
                {
                    if (world.Rank == 1)
                        return;
                    using var buffer = new NativeBuffer(ElementType.Float32, 8);
                    world.Group.AllReduce(buffer.Buffer).Wait();
                }
            }
        );
        Assert.Contains("rank 1 left the job", thrown[0]!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GroupsMadeInAnotherOrderAreRefused()
    {
        var thrown = RankThreads.Run(
            InProcessWorld.Create(2),
            world =>
            {
                world.CreateGroup([world.Rank], "alone");
                world.Group.Barrier().Wait();
            }
        );
        Assert.Contains(
            thrown,
            exception => exception is CollectiveException && exception.Message.Contains("same order", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void PendingOperationsShowInTheJournal()
    {
        var worlds = InProcessWorld.Create(2);
        using var buffer = new NativeBuffer(ElementType.Float32, 1000);
        var work = worlds[0].Group.AllReduce(buffer.Buffer);
        var entry = Assert.Single(worlds[0].Journal.Pending());
        Assert.Equal(OperationState.Posted, entry.State);
        Assert.Empty(worlds[1].Journal.Pending());
        worlds[1].Abort("done");
        Assert.Throws<CollectiveException>(work.Wait);
        Assert.Equal(OperationState.Failed, worlds[0].Journal.Snapshot()[^1].State);
    }

    [Fact]
    public void AnAbortFinishesWhatHasStartedBeforeItReturns()
    {
        var worlds = InProcessWorld.Create(2, hasThreads: false);
        using var buffers = new Pair();
        var works = worlds.Select((world, rank) => world.Group.AllReduce(buffers[rank].Buffer)).ToList();
        Assert.False(works[0].IsCompleted);
        worlds[1].Abort("done");
        Assert.True(works[0].IsCompleted);
        works.ForEach(work => work.Wait());
    }

    [Fact]
    public void WhoWaitsForOneOperationDoesThoseBeforeIt()
    {
        var worlds = InProcessWorld.Create(2, hasThreads: false);
        using var buffers = new Pair();
        var works = Enumerable.Range(0, 6).Select(i => worlds[i % 2].Group.AllReduce(buffers[i % 2].Buffer)).ToList();
        works[4].Wait();
        Assert.All(works, work => Assert.True(work.IsCompleted));
    }

    /// <summary>A buffer of each of two ranks, large enough not to be reduced at once.</summary>
    private sealed class Pair : IDisposable
    {
        private readonly NativeBuffer[] _buffers = [new(ElementType.Float32, 1 << 20), new(ElementType.Float32, 1 << 20)];

        public NativeBuffer this[int rank] => _buffers[rank];

        public void Dispose() => Array.ForEach(_buffers, buffer => buffer.Dispose());
    }
}
