using Uniscale.Planning.Clusters;
using Uniscale.Planning.Plans;

namespace Uniscale.Planning.Published;

/// <summary>A published row and what the planner says to it.</summary>
/// <param name="Row">The row.</param>
/// <param name="Plan">The prediction.</param>
public sealed record PublishedError(PublishedRow Row, PricedStep Plan)
{
    /// <summary>Predicted over published time, less 1.</summary>
    public double Error => Plan.Seconds / Row.Seconds - 1;

    /// <summary>Predicts a row: the fastest of the layouts that it may mean.</summary>
    public static PublishedError Of(PublishedRow row)
    {
        var cluster = ClusterCatalog.Load(row.Cluster);
        var stack = cluster.StackOf(row.Stack);
        return new PublishedError(row, Fastest(row, cluster, stack));
    }

    /// <summary>The fastest of the layouts that a row may mean.</summary>
    public static PricedStep Fastest(PublishedRow row, Cluster cluster, StackSection stack) =>
        row.Alternatives.Count == 0
            ? PricedStep.Of(row.Spec, cluster, stack)
            : row.Alternatives.Select(spec => PricedStep.Of(spec, cluster, stack)).MinBy(plan => plan.Seconds)!;
}
