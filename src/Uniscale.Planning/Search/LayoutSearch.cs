using Uniscale.Configuration;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;

namespace Uniscale.Planning.Search;

/// <summary>A layout that was priced in full.</summary>
/// <param name="Plan">Its step.</param>
/// <param name="Heaviest">Memory of its heaviest rank.</param>
public sealed record PricedLayout(PricedStep Plan, RankMemory Heaviest)
{
    /// <summary>
    /// What makes layouts different for a reader: axes and order of passes. Microbatch, ZeRO and recomputation are settings within one.
    /// </summary>
    public (int Tensor, int Pipeline, int Context, int Data, int Chunks, string Schedule) Key
    {
        get
        {
            var spec = Plan.Spec;
            return (spec.Mesh.Tensor, spec.Mesh.Pipeline, spec.Mesh.Context, spec.Mesh.Data, spec.Chunks, spec.Schedule);
        }
    }
}

/// <summary>Why layouts were thrown out.</summary>
/// <param name="Reason">Rule, memory or time.</param>
/// <param name="Count">Layouts.</param>
/// <param name="Example">One of them, in words.</param>
public sealed record Rejection(string Reason, int Count, string Example);

/// <summary>What a search found.</summary>
/// <param name="Best">The fastest setting of each of the best layouts, fastest first.</param>
/// <param name="Front">Layouts of the space than which none is both faster and smaller (by more than <see cref="SearchSpace.FrontStep"/>),
/// fastest first.</param>
/// <param name="Rejections">Why the others were thrown out.</param>
/// <param name="Considered">Layouts of the space.</param>
/// <param name="Priced">Layouts that were simulated.</param>
public sealed record SearchResult(
    IReadOnlyList<PricedLayout> Best,
    IReadOnlyList<PricedLayout> Front,
    IReadOnlyList<Rejection> Rejections,
    int Considered,
    IReadOnlyList<PricedLayout> Priced
);

/// <summary>
/// Finds the fastest layouts of a space. Pruning is exact: a layout is thrown out where it breaks a rule, where its memory's lower bound
/// (or its account) is above what
/// there is, or where its time's lower bound (<see cref="LayoutBounds"/>) is above the times of the layouts that are shown and above that
/// of one that is no larger.
/// </summary>
public sealed class LayoutSearch(Cluster cluster, StackSection stack, SearchSpace space)
{
    private readonly Dictionary<string, (int Count, string Example)> _rejected = [];
    private readonly List<PricedLayout> _priced = [];

    /// <summary>Runs the search.</summary>
    /// <param name="like">Model, precision and order of axes.</param>
    /// <exception cref="UserErrorException">No layout fits.</exception>
    public SearchResult Run(StepSpecification like)
    {
        double there = cluster.Needed(cluster.MemoryBytes, "chip.memory") * (1 - space.Margin);
        int considered = 0;
        var candidates = new List<(StepSpecification Spec, LayoutBounds Bounds)>();
        double smallest = double.PositiveInfinity;
        foreach (var spec in space.Of(like))
        {
            considered++;
            try
            {
                var bounds = new LayoutBounds(spec, cluster, stack);
                smallest = Math.Min(smallest, bounds.Bytes);
                if (bounds.Bytes > there)
                    Reject("memory", $"needs at least {bounds.Bytes / 1e9:N1} GB: {Describe(spec)}");
                else
                    candidates.Add((spec, bounds));
            }
            catch (LayoutException broken)
            {
                Reject("rule", $"{Describe(spec)}: {broken.Message}");
            }
        }
        Price(candidates, there);
        if (_priced.Count == 0)
            throw new UserErrorException(
                considered == 0
                    ? $"No layout uses {space.Ranks} GPUs with a global batch of {space.GlobalBatch}: choose a number of GPUs that shares factors with it."
                    : $"No layout of {space.Ranks} × {cluster.File.Chip.Name} fits: the smallest needs {smallest / 1e9:N1} GB of {there / 1e9:N1} GB on its heaviest rank; take more GPUs, a smaller model or context, or a lower --margin."
            );
        var best = _priced.OrderBy(layout => layout.Plan.Seconds).DistinctBy(layout => layout.Key).Take(space.Top).ToArray();
        return new SearchResult(
            best,
            Front(),
            [.. _rejected.Select(reason => new Rejection(reason.Key, reason.Value.Count, reason.Value.Example))],
            considered,
            _priced
        );
    }

    /// <summary>A layout in a few words.</summary>
    public static string Describe(StepSpecification spec) =>
        $"t{spec.Mesh.Tensor} p{spec.Mesh.Pipeline}"
        + (spec.Mesh.Context > 1 ? $" c{spec.Mesh.Context}" : "")
        + $" d{spec.Mesh.Data} {spec.Schedule}"
        + (spec.Chunks > 1 ? $" v{spec.Chunks}" : "")
        + $" micro {spec.MicrobatchSize}"
        + (spec.ZeroStage > 0 ? $" ZeRO-{spec.ZeroStage}/{spec.ZeroGroup}" : "")
        + (spec.Recompute == RecomputeKind.None ? "" : $" recompute {spec.Recompute.ToString().ToLowerInvariant()}");

    /// <summary>
    /// Prices candidates from the most promising on, but for those that can neither be among the layouts that are shown nor on the front.
    /// </summary>
    private void Price(List<(StepSpecification Spec, LayoutBounds Bounds)> candidates, double there)
    {
        foreach (var (spec, bounds) in candidates.OrderBy(candidate => candidate.Bounds.Seconds))
        {
            bool isSlow = bounds.Seconds > WorstShown();
            if (isSlow && IsBeaten(bounds.Seconds, bounds.Bytes))
            {
                Reject("time", $"takes at least {bounds.Seconds:N2} s: {Describe(spec)}");
                continue;
            }
            var planner = new StepPlanner(spec, cluster);
            var heaviest = planner.MemoryOfStages(stack).MaxBy(account => account.KnownBytes)!;
            if (heaviest.KnownBytes > there)
                Reject("memory", $"needs {heaviest.KnownBytes / 1e9:N1} GB: {Describe(spec)}");
            else if (isSlow && IsBeaten(bounds.Seconds, heaviest.KnownBytes))
                Reject("time", $"takes at least {bounds.Seconds:N2} s: {Describe(spec)}");
            else
                _priced.Add(new PricedLayout(planner.Price(stack), heaviest));
        }
    }

    /// <summary>Whether a priced layout is no slower than these bounds allow, and no larger but for a step of the front.</summary>
    private bool IsBeaten(double seconds, double bytes) =>
        _priced.Exists(known => known.Plan.Seconds <= seconds && known.Heaviest.KnownBytes <= bytes * (1 + space.FrontStep));

    private double WorstShown()
    {
        double[] best = _priced
            .GroupBy(layout => layout.Key)
            .Select(group => group.Min(layout => layout.Plan.Seconds))
            .Order()
            .Take(space.Top)
            .ToArray();
        return best.Length < space.Top ? double.PositiveInfinity : best[^1];
    }

    private PricedLayout[] Front()
    {
        var front = new List<PricedLayout>();
        double smallest = double.PositiveInfinity;
        foreach (var layout in _priced.OrderBy(layout => layout.Plan.Seconds).ThenBy(layout => layout.Heaviest.KnownBytes))
        {
            if (layout.Heaviest.KnownBytes >= smallest)
                continue;
            smallest = layout.Heaviest.KnownBytes;
            front.Add(layout);
        }
        return [.. front];
    }

    private void Reject(string reason, string example)
    {
        var (count, first) = _rejected.GetValueOrDefault(reason, (0, example));
        _rejected[reason] = (count + 1, first);
    }
}
