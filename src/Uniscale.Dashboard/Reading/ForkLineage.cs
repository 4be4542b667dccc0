using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A run among its forks.</summary>
/// <param name="Run">The run; null: it is not below the served folder.</param>
/// <param name="Name">Its name, or where it was.</param>
/// <param name="Step">Step of the checkpoint that it began with; null: it is no fork.</param>
/// <param name="Forks">Those that were forked from it.</param>
public sealed record ForkNode(FoundFolder? Run, string Name, long? Step, IReadOnlyList<ForkNode> Forks);

/// <summary>
/// Which runs were forked from which, at one look at all of them. A fork has fork.yaml, and begins with a copy of a checkpoint: the run
/// that holds the same save is its origin, wherever both lie. Each commit marker is read once at most, and only of steps that a fork
/// begins with.
/// </summary>
internal sealed class ForkLineage
{
    private const int LongestFork = 1 << 20,
        Deepest = 32;

    private readonly RunsFolder _door;
    private readonly Dictionary<string, (FoundFolder? Origin, string Name, long Step)> _origins = new(StringComparer.Ordinal);
    private readonly ILookup<string, FoundFolder> _forksOf;

    /// <summary>Looks at all runs of a folder.</summary>
    public ForkLineage(RunsFolder door, IEnumerable<FoundFolder> folders)
    {
        _door = door;
        var runs = folders.Where(folder => !folder.IsSweep).ToList();
        var firsts = new Dictionary<string, (string Name, long Step, string? Save)>(StringComparer.Ordinal);
        foreach (var run in runs)
            if (IsFork(run) && CheckpointView.Folders(door, run.FullPath) is [var first, ..])
                firsts[run.Id] = (first.Name, first.Step, CheckpointView.SaveOf(door, run.FullPath, first.Name));
        var holders = HoldersOf(firsts, runs);
        foreach (var run in runs)
            if (firsts.TryGetValue(run.Id, out var first))
            {
                var origin = first.Save is null ? null : holders.GetValueOrDefault((first.Name, first.Save));
                string? name = origin?.Name ?? CheckpointConfiguration.DirectoryOf(door, run.FullPath, first.Name);
                _origins[run.Id] = (origin, name ?? "a run that is not known", first.Step);
            }
        _forksOf = runs.Where(run => _origins.GetValueOrDefault(run.Id).Origin is not null)
            .ToLookup(run => _origins[run.Id].Origin!.Id, StringComparer.Ordinal);
    }

    /// <summary>The tree of forks that a run belongs to, from the first run on; null: it neither is a fork nor has any.</summary>
    public ForkNode? TreeOf(FoundFolder run)
    {
        var top = run;
        string? outside = null;
        for (int i = 0; i < Deepest && outside is null && _origins.TryGetValue(top.Id, out var origin); i++)
        {
            if (origin.Origin is { } known)
                top = known;
            else
                outside = origin.Name;
        }
        var tree = Node(top, 0);
        if (outside is not null)
            return new ForkNode(null, outside, null, [tree]);
        return tree.Forks.Count > 0 || tree.Step is not null ? tree : null;
    }

    private ForkNode Node(FoundFolder run, int depth)
    {
        long? step = _origins.TryGetValue(run.Id, out var origin) ? origin.Step : null;
        return new ForkNode(run, run.Name, step, depth == Deepest ? [] : [.. _forksOf[run.Id].Select(fork => Node(fork, depth + 1))]);
    }

    /// <summary>
    /// The first run, by name, that has a save which a fork begins with, and not as the first of a fork of its own, which came by it in the
    /// same way.
    /// </summary>
    private Dictionary<(string Name, string Save), FoundFolder> HoldersOf(
        Dictionary<string, (string Name, long Step, string? Save)> firsts,
        List<FoundFolder> runs
    )
    {
        var holders = new Dictionary<(string Name, string Save), FoundFolder>();
        var wanted = firsts.Values.Select(first => first.Name).ToHashSet(StringComparer.Ordinal);
        if (wanted.Count == 0)
            return holders;
        foreach (var run in runs)
        {
            long? own = firsts.TryGetValue(run.Id, out var first) ? first.Step : null;
            foreach (var (name, step) in CheckpointView.Folders(_door, run.FullPath))
                if (step != own && wanted.Contains(name) && CheckpointView.SaveOf(_door, run.FullPath, name) is { } save)
                    holders.TryAdd((name, save), run);
        }
        return holders;
    }

    private bool IsFork(FoundFolder run) => _door.Text(run.FullPath, "fork.yaml", LongestFork) is not null;
}
