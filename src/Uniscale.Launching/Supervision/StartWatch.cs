using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Supervision;

/// <summary>Watches the ranks of a job come, and says which did not.</summary>
/// <param name="folder">Launch folder of the attempt.</param>
/// <param name="ranks">Ranks of the job.</param>
/// <param name="limit">Time for all of them.</param>
internal sealed class StartWatch(string folder, int ranks, TimeSpan limit)
{
    /// <summary>Observations further apart mean that the observer itself did not run.</summary>
    private static readonly TimeSpan ObserverPause = TimeSpan.FromSeconds(5);

    /// <summary>A rank beats every second; one that was silent for longer when the others still beat was gone before them.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(4);

    private readonly string[] _hosts = ReadTasks(folder);
    private bool _isDone;
    private TimeSpan _waited;
    private DateTimeOffset? _last;

    /// <summary>All ranks have joined, or the fault was told.</summary>
    public bool IsDone => _isDone;

    /// <summary>Looks at who has joined.</summary>
    /// <returns>The fault, once the limit is over; else null.</returns>
    public Fault? Observe(DateTimeOffset now)
    {
        if (_isDone)
            return null;
        var pause = now - (_last ?? now);
        _last = now;
        if (pause < ObserverPause)
            _waited += pause;
        var missing = Missing();
        _isDone = missing.Count == 0;
        if (_isDone || _waited < limit)
            return null;
        _isDone = true;
        return FaultOf(missing, $"within {Diagnosis.Seconds(limit)} s (--start-seconds)");
    }

    /// <summary>
    /// Who was gone before mpirun gave up, where no rank and no guard has said anything: their host failed, or they never came.
    /// </summary>
    /// <param name="beats">Their heartbeats.</param>
    /// <returns>Null where that cannot be told.</returns>
    public Fault? WhoIsLost(IReadOnlyList<Heartbeat> beats)
    {
        beats = [.. beats.Where(beat => !beat.HasEnded)];
        if (beats.Count > 0)
        {
            var (first, last) = (beats.MinBy(beat => beat.Alive)!, beats.Max(beat => beat.Alive));
            if (last - first.Alive > Silence)
                return new(
                    "lost host",
                    beats.Max(beat => beat.Step),
                    first.Rank,
                    first.Host,
                    $"rank {first.Rank} on {first.Host} was silent for {Diagnosis.Seconds(last - first.Alive)} s before mpirun gave up: its host or its network is gone"
                );
        }
        var missing = Missing().Where(rank => !rank.HasBegun).ToList();
        return missing.Count > 0 && missing.Count < ranks ? FaultOf(missing, "before mpirun gave up; its words are above") : null;
    }

    /// <summary>Ranks that have not joined.</summary>
    private List<MissingRank> Missing()
    {
        var joined = Heartbeat.ReadAll(folder).Select(beat => beat.Rank).ToHashSet();
        if (joined.Count == ranks)
            return [];
        var begun = RankGuard.Begun(folder).ToDictionary(rank => rank.Rank);
        var reports = new LaunchFolder(folder);
        return
        [
            .. Enumerable
                .Range(0, ranks)
                .Where(rank => !joined.Contains(rank) && !RankMonitor.IsUnwatched(folder, rank))
                .Select(rank => new MissingRank(
                    rank,
                    begun.GetValueOrDefault(rank)?.Host ?? "",
                    _hosts.ElementAtOrDefault(rank) ?? "",
                    reports.IsJoining(rank)
                )),
        ];
    }

    private Fault FaultOf(List<MissingRank> missing, string when)
    {
        // Those that came further only wait for those that did not.
        var ordered = missing.OrderBy(rank => rank.HasBegun).ThenBy(rank => rank.IsJoining).ToList();
        string states = string.Join(
            "; ",
            ordered.GroupBy(rank => rank.State).Select(same => $"{RankNames.Of([.. same.Select(rank => rank.Rank)])} {same.Key}")
        );
        return new(
            RankFailure.StartKind,
            0,
            ordered[0].Rank,
            ordered[0].HasBegun ? ordered[0].Host : ordered[0].Placed,
            $"{missing.Count} of {ranks} ranks did not join the job {when}: {states}"
        );
    }

    /// <summary>Where srun was told to start each rank.</summary>
    private static string[] ReadTasks(string folder) =>
        Path.Combine(folder, LaunchFolder.TasksFileName) is var path && File.Exists(path) ? File.ReadAllLines(path) : [];

    private sealed record MissingRank(int Rank, string Host, string Placed, bool IsJoining)
    {
        public bool HasBegun => Host.Length > 0;

        public string State =>
            !HasBegun
                ? $"never began{(Placed.Length > 0 ? $" on {Placed}" : "")}"
                : $"began on {Host} and {(IsJoining ? "waits in MPI's start" : "did not come to MPI's start")}";
    }
}
