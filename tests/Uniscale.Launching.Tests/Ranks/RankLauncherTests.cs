using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Ranks;

public sealed class RankLauncherTests : IDisposable
{
    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-run-").FullName;

    public void Dispose() => Directory.Delete(_run, recursive: true);

    [Fact]
    public void ThreadsGetTheirPlacesAndLeaveTheirSteps()
    {
        RankLauncher.Run(
            3,
            _run,
            rank =>
            {
                Assert.Equal(
                    (rank.World.Rank, 3, rank.World.Rank, 3),
                    (rank.Environment.Rank, rank.Environment.WorldSize, rank.Environment.LocalRank, rank.Environment.LocalSize)
                );
                rank.Monitor.Beat(10 + rank.World.Rank);
            }
        );
        Assert.Equal([10, 11, 12], Heartbeat.ReadAll(Path.Combine(_run, RankLauncher.FolderName)).Select(beat => beat.Step));
    }

    [Fact]
    public void AThreadThatStandsStillIsNamedAndNotWaitedFor()
    {
        using var released = new ManualResetEventSlim();
        var failure = Assert.Throws<RankFailedException>(() =>
            RankLauncher.Run(
                2,
                _run,
                rank =>
                {
                    rank.Monitor.Beat(1);
                    if (rank.World.Rank == 1)
                    {
                        Assert.True(released.Wait(TimeSpan.FromSeconds(30)));
                        return;
                    }
                    try
                    {
                        rank.World.Group.Barrier().Wait();
                    }
                    finally
                    {
                        released.Set();
                    }
                },
                new HangLimits { Minimum = TimeSpan.FromSeconds(1) }
            )
        );
        Assert.Equal(0, failure.Rank);
        Assert.Contains("did not come to operation 0 of group world: barrier", failure.Message, StringComparison.Ordinal);
    }
}
