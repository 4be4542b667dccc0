using Uniscale.Configuration;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs.Timing;

/// <summary>Seconds of a rank's work, by block; what communication costs is zero unless it is set.</summary>
public sealed record StepCosts
{
    /// <summary>Passes of each block over one microbatch, recomputation included in <see cref="PassTimes.BackwardInput"/>.</summary>
    public required IReadOnlyList<PassTimes> Blocks { get; init; }

    /// <summary>One tensor between two stages.</summary>
    public double Transfer { get; init; }

    /// <summary>Reduction of one block's gradients over the replicas.</summary>
    public Func<int, double> Reduce { get; init; } = _ => 0;

    /// <summary>Gathering of one block's parameters.</summary>
    public Func<int, double> Gather { get; init; } = _ => 0;

    /// <summary>Optimizer update of one block.</summary>
    public Func<int, double> Update { get; init; } = _ => 0;

    /// <summary>Stages that all cost the same: each virtual stage has an equal share of <paramref name="stage"/>, divided evenly over its
    /// transformer blocks (over embedding or head where it has none).</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="stage">Passes of one stage, all its chunks, over one microbatch.</param>
    public static StepCosts Even(StepSpecification spec, PassTimes stage)
    {
        var blocks = new PassTimes[spec.Model.BlockCount];
        foreach (var range in StagePartition.Of(spec).Ranges)
        {
            int[] all = Enumerable.Range(range.First, range.Count).ToArray();
            int[] paid = all.Any(spec.Model.IsTransformer) ? Array.FindAll(all, spec.Model.IsTransformer) : all;
            foreach (int block in paid)
                blocks[block] = Scale(stage, 1.0 / (paid.Length * spec.Chunks));
        }
        return new StepCosts { Blocks = blocks };
    }

    /// <summary>Times from floating-point operations (<see cref="BlockCost"/>) at one speed: input and weight gradients as much each as the
    /// forward
    /// pass, and a block that is computed again one forward pass more. Selective recomputation is element-wise and costs nothing here; the
    /// head computes its gradients in
    /// the forward pass (docs/decisions/0051). Communication is not counted.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="flopsPerSecond">Operations a rank sustains in a second.</param>
    public static StepCosts FromOperations(StepSpecification spec, double flopsPerSecond)
    {
        var blocks = new PassTimes[spec.Model.BlockCount];
        for (int block = 0; block < blocks.Length; block++)
        {
            double forward = BlockCost.ForwardPerMicrobatch(spec, block) / flopsPerSecond;
            double again = spec.RecomputationOf(block) == RecomputeKind.Block ? forward : 0;
            blocks[block] =
                block == 0 ? new PassTimes(forward, 0, forward)
                : block == spec.Model.Head ? new PassTimes(3 * forward, 0, 0)
                : new PassTimes(forward, forward + again, forward);
        }
        return new StepCosts { Blocks = blocks };
    }

    /// <summary>
    /// Mean times of the passes of each block in measured steps; a backward pass that was not split counts as input gradients.
    /// </summary>
    /// <param name="spec">The layout that was measured.</param>
    /// <param name="steps">Steps of <see cref="Tracing.MeasuredTrace"/>.</param>
    public static StepCosts FromMeasured(StepSpecification spec, IEnumerable<PipelineTimeline> steps)
    {
        var passes = steps
            .SelectMany(step => step.Intervals)
            .Where(interval => interval.Instruction.Block < spec.Model.BlockCount)
            .ToLookup(interval => (interval.Instruction.Block, interval.Instruction.Op), interval => interval.Duration);
        double Mean(int block, params ReadOnlySpan<Op> ops)
        {
            foreach (var op in ops)
                if (passes.Contains((block, op)))
                    return passes[(block, op)].Average();
            return 0;
        }
        return new StepCosts
        {
            Blocks = Enumerable
                .Range(0, spec.Model.BlockCount)
                .Select(block => new PassTimes(
                    Mean(block, Op.Forward),
                    Mean(block, Op.BackwardInput, Op.Backward),
                    Mean(block, Op.BackwardWeight)
                ))
                .ToArray(),
        };
    }

    /// <summary>Seconds of a pass, as an instruction names it; 0 for what is no pass.</summary>
    public double Of(Instruction at) =>
        at.Op switch
        {
            Op.Forward => Blocks[at.Block].Forward,
            Op.Backward => Blocks[at.Block].BackwardInput + Blocks[at.Block].BackwardWeight,
            Op.BackwardInput => Blocks[at.Block].BackwardInput,
            Op.BackwardWeight => Blocks[at.Block].BackwardWeight,
            Op.Update => Update(at.Block),
            _ => 0,
        };

    private static PassTimes Scale(PassTimes times, double by) =>
        new(times.Forward * by, times.BackwardInput * by, times.BackwardWeight * by);
}
