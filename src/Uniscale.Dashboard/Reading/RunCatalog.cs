using System.Collections.Concurrent;
using Uniscale.Dashboard.Safety;
using Uniscale.Telemetry;

namespace Uniscale.Dashboard.Reading;

/// <summary>All runs below the served folder: their list, their summaries, and the steps of those that somebody looks at.</summary>
/// <param name="door">The door to the disk.</param>
public sealed class RunCatalog(RunsFolder door)
{
    /// <summary>Steps kept in memory, of all runs together: about 60 bytes each.</summary>
    private const long MostSteps = 8_000_000;

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2),
        FreshLineage = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, FollowedRun> _followed = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (DateTime Stamp, DateTimeOffset Read, bool IsDeep, RunSummary Summary)> _summaries = new(
        StringComparer.Ordinal
    );
    private IReadOnlyList<FoundFolder> _folders = [];
    private long _found = long.MinValue;
    private readonly Lock _lineageGate = new();
    private (ForkLineage Lineage, long Read)? _lineage;

    /// <summary>The door to the disk.</summary>
    public RunsFolder Door => door;

    /// <summary>Runs and sweeps, by name, as they were at most two seconds ago.</summary>
    public IReadOnlyList<FoundFolder> Folders()
    {
        lock (_gate)
        {
            if (Environment.TickCount64 - _found > Fresh.TotalMilliseconds || _found == long.MinValue)
            {
                _folders = door.Find();
                _found = Environment.TickCount64;
            }
            return _folders;
        }
    }

    /// <summary>Which runs were forked from which, as it was at most ten seconds ago: it takes a look into every run.</summary>
    internal ForkLineage Lineage()
    {
        lock (_lineageGate)
        {
            if (_lineage is not { } known || Environment.TickCount64 - known.Read > FreshLineage.TotalMilliseconds)
                _lineage = known = (new ForkLineage(door, Folders()), Environment.TickCount64);
            return known.Lineage;
        }
    }

    /// <summary>The one run that a folder is; null: it is none.</summary>
    public FoundFolder? Only() => Folders() is [{ IsSweep: false } run] && run.FullPath == door.FullPath ? run : null;

    /// <summary>The folder of an id; null: there is none, or it is gone.</summary>
    public FoundFolder? Find(string? id) => id is null ? null : Folders().FirstOrDefault(folder => folder.Id == id);

    /// <summary>Summaries of all runs, by name. Of a run whose files have not changed the last one serves.</summary>
    public IReadOnlyList<RunSummary> Summaries()
    {
        var runs = Folders().Where(folder => !folder.IsSweep).ToList();
        var summaries = new RunSummary[runs.Count];
        Parallel.For(0, runs.Count, i => summaries[i] = Summary(runs[i], isDeep: false));
        return summaries;
    }

    /// <summary>The summary of a run.</summary>
    /// <param name="run">The run.</param>
    /// <param name="isDeep">With its validations, which costs ten times as much.</param>
    public RunSummary Summary(FoundFolder run, bool isDeep = true)
    {
        var now = DateTimeOffset.UtcNow;
        var stamp = StampOf(run.FullPath);
        // A run goes from living to gone without a file that changes.
        bool isSettled(RunSummary summary) =>
            summary.State is RunState.Finished or RunState.Stopped or RunState.Failed or RunState.Gone or RunState.Unknown;
        if (
            _summaries.TryGetValue(run.Id, out var known)
            && (known.IsDeep || !isDeep)
            && known.Stamp == stamp
            && (isSettled(known.Summary) || now - known.Read < Fresh)
        )
            return known.Summary;
        var summary = new SummaryReader(door).Read(run, now, isDeep);
        _summaries[run.Id] = (stamp, now, isDeep, summary);
        return summary;
    }

    /// <summary>The steps of a run, as they are now or, of a large file that is read for the first time, a sample of them.</summary>
    internal FollowedRun Follow(FoundFolder folder)
    {
        FollowedRun run;
        lock (_gate)
        {
            if (!_followed.TryGetValue(folder.Id, out run!))
                _followed[folder.Id] = run = new FollowedRun(door, folder);
        }
        run.Refresh();
        Forget();
        return run;
    }

    /// <summary>Lets go of those that nobody has looked at for longest, while there are too many steps.</summary>
    private void Forget()
    {
        const long recently = 30_000;
        lock (_gate)
        {
            long steps = _followed.Values.Sum(run => (long)run.Count);
            foreach (var run in _followed.Values.OrderBy(run => run.Looked).ToList())
            {
                if (steps <= MostSteps || Environment.TickCount64 - run.Looked < recently)
                    return;
                steps -= run.Count;
                _followed.Remove(run.Folder.Id);
            }
        }
    }

    /// <summary>Newest change of the files that a summary rests on.</summary>
    private static DateTime StampOf(string run)
    {
        string[] files = ["metrics.jsonl", "launch/events.jsonl", "checkpoints", "launch"];
        return files.Max(name => RunsFolder.LastWrite(run, name));
    }
}
