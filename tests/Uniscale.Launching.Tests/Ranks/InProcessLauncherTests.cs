using Uniscale.Configuration;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Tests.Ranks;

public sealed class InProcessLauncherTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void RunsEveryRankOnce(int ranks)
    {
        int sum = 0;
        InProcessLauncher.Run(
            ranks,
            world =>
            {
                world.Group.Barrier().Wait();
                Interlocked.Add(ref sum, 1 + world.Rank);
            }
        );
        Assert.Equal(ranks * (ranks + 1) / 2, sum);
    }

    [Fact]
    public void TheFirstRankToFailIsNamedAndNobodyHangs()
    {
        var failure = Assert.Throws<RankFailedException>(() =>
            InProcessLauncher.Run(
                3,
                world =>
                {
                    if (world.Rank == 2)
                        throw new InvalidOperationException(
                            "the disk is on fire\nException raised from alloc at a.cpp:1\nframe #0: deep inside"
                        );
                    world.Group.Barrier().Wait();
                }
            )
        );
        Assert.Equal(2, failure.Rank);
        Assert.Equal("rank 2 failed first: the disk is on fire", failure.Message);
        Assert.Contains("frame #0", failure.ToString());
    }

    [Fact]
    public void AUsersErrorStaysOne() =>
        Assert.Throws<UserErrorException>(() =>
            InProcessLauncher.Run(
                2,
                world =>
                {
                    if (world.Rank == 1)
                        throw new UserErrorException("The corpus does not exist.");
                    world.Group.Barrier().Wait();
                }
            )
        );

    [Fact]
    public void OthersFailBeforeTheFailingRankLetsGoOfItsMemory()
    {
        bool released = false,
            failedBefore = false;
        using var failing = new ManualResetEventSlim();
        Assert.Throws<RankFailedException>(() =>
            InProcessLauncher.Run(
                2,
                world =>
                {
                    if (world.Rank == 0)
                    {
                        var work = world.Group.Barrier();
                        failing.Set();
                        try
                        {
                            work.Wait();
                        }
                        finally
                        {
                            failedBefore = !Volatile.Read(ref released);
                        }
                    }
                    failing.Wait();
                    try
                    {
                        throw new InvalidOperationException("gone");
                    }
                    finally
                    {
                        Thread.Sleep(100);
                        Volatile.Write(ref released, true);
                    }
                }
            )
        );
        Assert.True(failedBefore);
    }
}
