using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A run among its forks.</summary>
/// <param name="Run">The run; null: it is not below the served folder.</param>
/// <param name="Name">Its name, or where it was.</param>
/// <param name="Step">Step of the checkpoint that it began with; null: it is no fork.</param>
/// <param name="Forks">Those that were forked from it.</param>
public sealed record ForkNode(FoundFolder? Run, string Name, long? Step, IReadOnlyList<ForkNode> Forks);

/// <summary>
/// Which runs were forked from which. A fork has fork.yaml, and begins with a copy of a checkpoint: the run that holds the same save is its
/// origin, wherever both lie.
/// </summary>
internal sealed class ForkLineage
{
    private const int LongestFork = 1 << 20,
        Deepest = 32;

    private readonly RunCatalog _catalog;
    private readonly Dictionary<string, (FoundFolder? Origin, string Name, long Step)> _origins = new(StringComparer.Ordinal);
    private readonly List<FoundFolder> _runs;

    /// <summary>Looks at all runs of a folder.</summary>
    public ForkLineage(RunCatalog catalog)
    {
        _catalog = catalog;
        _runs = [.. catalog.Folders().Where(folder => !folder.IsSweep)];
        foreach (var run in _runs)
            if (OriginOf(run) is { } origin)
                _origins[run.Id] = origin;
    }

    private RunsFolder Door => _catalog.Door;

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
        var forks = _runs.Where(other => _origins.TryGetValue(other.Id, out var from) && from.Origin?.Id == run.Id);
        return new ForkNode(run, run.Name, step, depth == Deepest ? [] : [.. forks.Select(fork => Node(fork, depth + 1))]);
    }

    private (FoundFolder? Origin, string Name, long Step)? OriginOf(FoundFolder run)
    {
        if (!IsFork(run) || CheckpointView.Folders(Door, run.FullPath) is not [var first, ..])
            return null;
        string? save = CheckpointView.SaveOf(Door, run.FullPath, first.Name);
        var origin = save is null ? null : _runs.FirstOrDefault(other => other.Id != run.Id && Holds(other, first, save));
        string? name = origin?.Name ?? CheckpointConfiguration.DirectoryOf(Door, run.FullPath, first.Name);
        return (origin, name ?? "a run that is not known", first.Step);
    }

    /// <summary>Whether a run has a save, and not as the first of a fork of its own, which came by it in the same way.</summary>
    private bool Holds(FoundFolder other, (string Name, long Step) checkpoint, string save) =>
        CheckpointView.SaveOf(Door, other.FullPath, checkpoint.Name) == save
        && !(IsFork(other) && CheckpointView.Folders(Door, other.FullPath)[0].Step == checkpoint.Step);

    private bool IsFork(FoundFolder run) => Door.Text(run.FullPath, "fork.yaml", LongestFork) is not null;
}
