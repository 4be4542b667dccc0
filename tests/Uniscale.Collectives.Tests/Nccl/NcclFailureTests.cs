using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Nccl;
using Uniscale.Collectives.Tests.Conformance;
using Uniscale.NcclEmulation;

namespace Uniscale.Collectives.Tests.Nccl;

[Collection(NcclTests.Name)]
public sealed class NcclFailureTests
{
    public static TheoryData<bool> Kinds => [false, true];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnAbortedRankFailsWhatOthersWaitForAndWhatComesLater(bool onHost)
    {
        var thrown = NcclRanks.Run(
            3,
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
                Assert.Throws<CollectiveException>(() => world.CreateGroup([0, 2], "later"));
                throw first;
            },
            rank => new NcclDevice(rank) { ComputesOnHost = onHost }
        );
        Assert.Null(thrown[1]);
        Assert.Contains(
            "rank 0: all-reduce (Sum) of 100,000 Float32 (390.6 KiB), operation 0 of group world, failed: rank 1 aborted the job: out of luck",
            thrown[0]!.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("rank 1 aborted", thrown[2]!.Message, StringComparison.Ordinal);
    }

    /// <summary>A kernel that never ends and an error that NCCL reports beside it, as when a peer is gone.</summary>
    [Fact]
    public void AnErrorThatNcclReportsLaterFailsAllRanksWithItsWords()
    {
        // Two kernels of the barrier, then one of the all-reduce that is lost.
        using var error = NcclEmulator.With("error_after", 3);
        var thrown = NcclRanks.Run(
            2,
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Float32, 1000);
                world.Group.Barrier().WaitRegardless();
                var work = world.Group.AllReduce(buffer.Buffer);
                work.WaitRegardless();
                work.Wait();
            }
        );
        Assert.All(
            thrown,
            exception =>
                Assert.Matches(
                    @"all-reduce .* of group world, failed: rank \d aborted the job: NCCL reports error 6 \(remote process exited or there was a network error\) while",
                    exception!.Message
                )
        );
    }

    [Fact]
    public void AnErrorOfTheDeviceFailsAllRanks()
    {
        using var error = NcclEmulator.With("device_error", 719);
        var thrown = NcclRanks.Run(
            2,
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Float32, 1000);
                var work = world.Group.AllReduce(buffer.Buffer);
                work.WaitRegardless();
                work.Wait();
            }
        );
        Assert.All(thrown, exception => Assert.Contains("CUDA reports error 719", exception!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void DifferentOperationsAreNamedBeforeTheyHang()
    {
        var thrown = NcclRanks.Run(
            2,
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Float32, 8 + world.Rank);
                world.Group.Barrier().Wait();
                var work = world.Group.AllReduce(buffer.Buffer);
                work.WaitRegardless();
                work.Wait();
            }
        );
        Assert.All(
            thrown,
            exception =>
                Assert.Matches(
                    @"ranks disagree at operation 1 of group world: rank \d posted all-reduce \(Sum\) of [89] Float32 .*, another rank something else",
                    exception!.Message
                )
        );
    }

    [Fact]
    public void AMessageOfAnotherLengthIsNamed()
    {
        var thrown = NcclRanks.Run(
            2,
            world =>
            {
                using var buffer = new NativeBuffer(ElementType.Int32, 4 + world.Rank);
                (world.Rank == 0 ? world.Group.Send(buffer.Buffer, 1, 3) : world.Group.Receive(buffer.Buffer, 0, 3)).Wait();
            }
        );
        Assert.All(thrown, exception => Assert.Contains("two sides of a message", exception!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void TwoRanksOnOneDeviceAreRefused()
    {
        var thrown = NcclRanks.Run(2, _ => { }, _ => new NcclDevice(0));
        Assert.All(thrown, exception => Assert.IsType<NcclException>(exception));
        Assert.Contains(thrown, exception => exception!.Message.Contains("invalid usage", StringComparison.Ordinal));
        Assert.Contains(
            thrown,
            exception => exception!.Message.Contains("each of which needs a device of its own", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void MoreRanksThanDevicesAreTold()
    {
        using var devices = NcclEmulator.With("devices", 1);
        var thrown = NcclRanks.Run(2, _ => { });
        Assert.Contains(
            "This host shows 1 CUDA device, but its ranks need 2 or more, one each",
            thrown[1]!.Message,
            StringComparison.Ordinal
        );
        Assert.NotNull(thrown[0]);
    }

    [Fact]
    public void AnAbortReturnsWhenNoDeviceTouchesMemoryOfTheRank()
    {
        // The first kernel never ends, and the other side waits for it.
        using var silent = NcclEmulator.With("error", 0);
        using var lost = NcclEmulator.With("error_after", 1);
        var worlds = new NcclWorld[2];
        var threads = InProcessWorld
            .Create(2)
            .Select(control => new Thread(() => worlds[control.Rank] = NcclWorld.Join(control, new NcclDevice(control.Rank))))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        using var buffer = new NativeBuffer(ElementType.Float32, 1000, _ => 1);
        using var other = new NativeBuffer(ElementType.Float32, 1000, _ => 1);
        var works = new[] { worlds[0].Group.AllReduce(buffer.Buffer), worlds[1].Group.AllReduce(other.Buffer) };
        Array.ForEach(works, work => work.Wait());
        worlds[0].Abort("done");
        Assert.True(works[0].IsCompleted);
        Assert.Equal(OperationState.Failed, worlds[0].Journal.Snapshot()[^1].State);
        double left = buffer[0];
        works[1].WaitRegardless();
        Assert.Equal(left, buffer[0]);
        Array.ForEach(worlds, world => world.Dispose());
    }
}
