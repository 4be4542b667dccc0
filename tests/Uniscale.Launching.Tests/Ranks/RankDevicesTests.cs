using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.NcclEmulation;

namespace Uniscale.Launching.Tests.Ranks;

public sealed class RankDevicesTests : IDisposable
{
    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-run-").FullName;

    public RankDevicesTests() => NcclEmulator.Use();

    public void Dispose() => Directory.Delete(_run, recursive: true);

    [Fact]
    public void RanksOnTheHostKeepTheWorldOfTheirLauncher()
    {
        using var world = InProcessWorld.Create(1)[0];
        Assert.Same(world, RankDevices.Of(new RunConfiguration()).Around(world, localRank: 0));
        Assert.False(RankDevices.Of(new RunConfiguration()).UseNccl);
    }

    [Fact]
    public void CudaRanksCommunicateByNccl()
    {
        var devices = RankDevices.Of(new RunConfiguration { Train = new TrainSection { Device = "cuda" } });
        Assert.True(devices is { AreCuda: true, UseNccl: true });
        InProcessLauncher.Run(
            2,
            world =>
            {
                Assert.NotSame(world.Group, world.HostGroup);
                world.Group.Barrier().Wait();
            },
            devices
        );
    }

    [Fact]
    public void WhatFailsInOneRankEndsTheOthers()
    {
        var failure = Assert.Throws<RankFailedException>(() =>
            InProcessLauncher.Run(
                2,
                world =>
                {
                    if (world.Rank == 1)
                        throw new InvalidOperationException("out of luck");
                    world.Group.Barrier().Wait();
                },
                RankDevices.HostByNccl
            )
        );
        Assert.Equal("rank 1 failed first: out of luck", failure.Message);
    }

    /// <summary>
    /// A kernel that never ends and of which NCCL says nothing: what stands still is found by the heartbeats, and named by the journals.
    /// </summary>
    [Fact]
    public void AKernelThatNeverEndsIsGivenUpAndNamed()
    {
        using var silent = NcclEmulator.With("error", 0);
        // Four kernels of two barriers, of two ranks each.
        using var lost = NcclEmulator.With("error_after", 5);
        var failure = Assert.Throws<RankFailedException>(() =>
            RankLauncher.Run(
                2,
                _run,
                rank =>
                {
                    rank.Monitor.Beat(1);
                    for (int i = 0; i < 3; i++)
                        rank.World.Group.Barrier().Wait();
                },
                new HangLimits { Minimum = TimeSpan.FromSeconds(1) },
                RankDevices.HostByNccl
            )
        );
        Assert.Matches(
            "barrier, operation 2 of group world, failed: .*nothing has moved for .* operation 2 of group world: barrier",
            failure.Message
        );
    }
}
