using Uniscale.Collectives.InProcess;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class StartWatchTests : IDisposable
{
    private static readonly DateTimeOffset Begin = DateTimeOffset.UtcNow;

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-start-").FullName;
    private readonly StartWatch _watch;

    public StartWatchTests() => _watch = new StartWatch(_folder, ranks: 4, TimeSpan.FromSeconds(30));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void BeginRank(int rank, string host) => File.WriteAllText(Path.Combine(_folder, $"rank-{rank:D5}.begun"), $"1 {host}\n");

    private void Join(int ranks)
    {
        var worlds = InProcessWorld.Create(4);
        foreach (var world in worlds.Take(ranks))
            new RankMonitor(_folder, world).Dispose();
        foreach (var world in worlds)
            world.Dispose();
    }

    private Fault? ObserveFor(int seconds)
    {
        Fault? fault = null;
        for (int second = 0; second <= seconds; second++)
            fault ??= _watch.Observe(Begin + TimeSpan.FromSeconds(second));
        return fault;
    }

    [Fact]
    public void RanksThatDoNotComeAreNamedByHowFarTheyCame()
    {
        Join(1);
        BeginRank(1, "n1");
        BeginRank(2, "n1");
        new LaunchFolder(_folder).SayJoining(2);
        Assert.Equal(
            new Fault(
                "start",
                0,
                3,
                "",
                "3 of 4 ranks did not join the job within 30 s (--start-seconds): rank 3 never began; "
                    + "rank 1 began on n1 and did not come to MPI's start; rank 2 began on n1 and waits in MPI's start"
            ),
            ObserveFor(40)
        );
    }

    /// <summary>srun is told where each rank goes, so that the host of one that never began is known.</summary>
    [Fact]
    public void ARankThatNeverBeganIsNamedByThePlaceThatItWasGiven()
    {
        File.WriteAllLines(Path.Combine(_folder, "tasks"), ["n1", "n1", "n2", "n2"]);
        var watch = new StartWatch(_folder, ranks: 4, TimeSpan.FromSeconds(1));
        Join(2);
        watch.Observe(Begin);
        var fault = watch.Observe(Begin + TimeSpan.FromSeconds(2));
        Assert.Equal(
            ("n2", "2 of 4 ranks did not join the job within 1 s (--start-seconds): ranks 2, 3 never began on n2"),
            (fault!.Host, fault.Message)
        );
    }

    [Fact]
    public void NobodyIsMissedBeforeTheLimitOrAfterAllHaveCome()
    {
        Assert.Null(ObserveFor(29));
        Join(4);
        Assert.Null(ObserveFor(60));
    }

    [Fact]
    public void TimeInWhichTheObserverSleptDoesNotCount()
    {
        Assert.Null(_watch.Observe(Begin));
        Assert.Null(_watch.Observe(Begin + TimeSpan.FromHours(8)));
    }

    [Fact]
    public void RanksThatNeverBeganAreNamedWhenMpirunGivesUp()
    {
        Assert.Null(_watch.WhoIsLost(Heartbeat.ReadAll(_folder)));
        BeginRank(0, "n0");
        BeginRank(1, "n0");
        Assert.Equal(
            "2 of 4 ranks did not join the job before mpirun gave up; its words are above: ranks 2, 3 never began",
            _watch.WhoIsLost(Heartbeat.ReadAll(_folder))!.Message
        );
    }

    [Fact]
    public void ARankThatFellSilentBeforeTheOthersIsNamed()
    {
        Beat(0, "n0", Begin);
        Beat(1, "n1", Begin - TimeSpan.FromSeconds(20));
        Beat(2, "n2", Begin);
        var fault = _watch.WhoIsLost(Heartbeat.ReadAll(_folder))!;
        Assert.Equal((1, "n1", "lost host", 7L), (fault.Rank, fault.Host, fault.Kind, fault.Step));
        Assert.Equal("rank 1 on n1 was silent for 20 s before mpirun gave up: its host or its network is gone", fault.Message);
    }

    private void Beat(int rank, string host, DateTimeOffset alive)
    {
        var slot = new HeartbeatSlot
        {
            Rank = rank,
            Step = 7,
            AliveTicks = alive.UtcTicks,
            MovedTicks = alive.UtcTicks,
        };
        slot.SetHost(host);
        File.WriteAllBytes(Heartbeat.PathOf(_folder, rank), System.Runtime.InteropServices.MemoryMarshal.AsBytes([slot]).ToArray());
    }
}
