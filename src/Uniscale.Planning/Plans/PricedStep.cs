using Uniscale.Planning.Clusters;
using Uniscale.Planning.Simulation;

namespace Uniscale.Planning.Plans;

/// <summary>What one step of a layout costs on a cluster.</summary>
public sealed record PricedStep
{
    /// <summary>The layout.</summary>
    public required StepSpecification Spec { get; init; }

    /// <summary>The hardware.</summary>
    public required Cluster Cluster { get; init; }

    /// <summary>The software on it.</summary>
    public required StackSection Stack { get; init; }

    /// <summary>Times of all ranks.</summary>
    public required StepTimes Times { get; init; }

    /// <summary>Seconds of a step.</summary>
    public double Seconds => Times.Seconds;

    /// <summary>Tokens of a step.</summary>
    public double Tokens => (double)Spec.Microbatches * Spec.MicrobatchSize * Spec.Mesh.Data * Spec.Model.Context;

    /// <summary>Tokens a second of one rank.</summary>
    public double TokensPerRank => Tokens / Seconds / Spec.Mesh.Size;

    /// <summary>Model operations a second of one rank (<see cref="PlannedFlops.PerToken"/>).</summary>
    public double ModelFlopsPerRank => TokensPerRank * PlannedFlops.PerToken(Spec.Model);

    /// <summary>Share of the dense peak, recomputation not counted.</summary>
    public double Mfu => ModelFlopsPerRank / Cluster.PeakFor(Spec.ActivationBytes);

    /// <summary>Share of the dense peak, recomputation counted.</summary>
    public double Hfu =>
        TokensPerRank
        * PlannedFlops.HardwarePerToken(Spec, Stack.Attention == AttentionKind.Scores)
        / Cluster.PeakFor(Spec.ActivationBytes);

    /// <summary>Prices a step; for several prices of one layout make one <see cref="StepPlanner"/>.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="cluster">The hardware.</param>
    /// <param name="stack">The software on it.</param>
    /// <param name="withIntervals">Keep what ran when.</param>
    /// <exception cref="LayoutException">The layout cannot work.</exception>
    public static PricedStep Of(StepSpecification spec, Cluster cluster, StackSection stack, bool withIntervals = false) =>
        new StepPlanner(spec, cluster).Price(stack, withIntervals);
}
