using Uniscale.Planning.Costs;

namespace Uniscale.Planning.Simulation;

/// <summary>Seconds of one class of ranks in a step.</summary>
/// <param name="Class">Its ranks.</param>
/// <param name="Passes">Passes over blocks, by cause.</param>
/// <param name="Updates">Optimizer.</param>
/// <param name="Reduction">Reductions of gradients beside which nothing is computed.</param>
/// <param name="Gathering">Waits for parameters that are being gathered (ZeRO-3).</param>
/// <param name="Waiting">Waits for other stages: the bubble, and sends that nothing hides.</param>
/// <param name="Step">Length of the whole step.</param>
/// <param name="PassesEnd">When the last pass was over.</param>
public sealed record ClassTimes(
    RankClass Class,
    PassSeconds Passes,
    double Updates,
    double Reduction,
    double Gathering,
    double Waiting,
    double Step,
    double PassesEnd
)
{
    /// <summary>What is left: gathering of updated parameters, host, waits at the end of the step.</summary>
    public double Rest => Math.Max(0, Step - Passes.Total - Updates - Reduction - Gathering - Waiting);
}

/// <summary>A simulated step of all ranks.</summary>
/// <param name="Seconds">Length of the step.</param>
/// <param name="Classes">One entry a class of ranks.</param>
/// <param name="Intervals">What ran when, on the first rank of each class; null where it was not asked for.</param>
public sealed record StepTimes(double Seconds, IReadOnlyList<ClassTimes> Classes, IReadOnlyList<Interval>? Intervals)
{
    /// <summary>The class that computes longest.</summary>
    public ClassTimes Slowest => Classes.MaxBy(times => times.Passes.Total + times.Updates)!;

    /// <summary>Share of the time up to the end of the passes in which ranks make none, mean over ranks.</summary>
    public double BubbleRatio
    {
        get
        {
            double end = Classes.Max(times => times.PassesEnd);
            double ranks = Classes.Sum(times => times.Class.Count);
            return 1 - Classes.Sum(times => times.Class.Count * times.Passes.Total) / (ranks * end);
        }
    }
}
