namespace Uniscale.Programs.Memory;

/// <summary>
/// Bytes that a rank needs in a step, part by part. With n parameters on the rank and a ZeRO group of g (Rajbhandari et al., 2020, with
/// gradients accumulated in
/// fp32): parameters e·n (stage 3: e·n/g), gradients 4·n (stages 2 and 3: 4·n/g), moments 8·n and, where parameters are not fp32, master
/// weights
/// 4·n (stages 1 to 3: /g). e is the size of a parameter.
/// </summary>
public sealed record MemoryPlan
{
    private const int Fp32 = 4;

    /// <summary>Parameters between steps, those of frozen models too.</summary>
    public required long ParameterBytes { get; init; }

    /// <summary>Gradient accumulation.</summary>
    public required long GradientBytes { get; init; }

    /// <summary>Moments and master weights.</summary>
    public required long OptimizerBytes { get; init; }

    /// <summary>What is whole for a while only: under ZeRO-3 the parameters of the block that computes and of the next, under ZeRO-2 and 3
    /// the gradient of
    /// the block that goes backward and of the one that is being reduced.</summary>
    public required long TransientBytes { get; init; }

    /// <summary>Peak of live activations (<see cref="ActivationMeter"/>).</summary>
    public required long ActivationBytes { get; init; }

    /// <summary>All of it.</summary>
    public long TotalBytes => ParameterBytes + GradientBytes + OptimizerBytes + TransientBytes + ActivationBytes;

    /// <summary>Plan of one rank; ranks of the same stage have the same.</summary>
    /// <param name="spec">The layout. Parameters have the size of <see cref="StepSpecification.ActivationBytes"/>.</param>
    /// <param name="program">The rank's program.</param>
    public static MemoryPlan Of(StepSpecification spec, StepProgram program)
    {
        int stage = spec.Mesh.CoordinateOf(program.Rank).Pipeline;
        var blocks = StagePartition
            .Of(spec)
            .BlocksOf(stage)
            .Select(block => (Count: ParameterCount.OfBlock(spec, block), Once: spec.ReducesOnce(block)))
            .ToArray();
        long count = blocks.Sum(block => block.Count);
        long keptWhole = blocks.Where(block => block.Once).Sum(block => block.Count);
        long largestTwo = blocks.Select(block => block.Count).OrderDescending().Take(2).Sum();
        long largestTwoSharded = blocks.Where(block => !block.Once).Select(block => block.Count).OrderDescending().Take(2).Sum();
        int optimizer = spec.ActivationBytes == Fp32 ? 2 * Fp32 : 3 * Fp32;
        return new MemoryPlan
        {
            ParameterBytes = Share(spec, count, fromStage: 3) * spec.ActivationBytes * (1 + spec.FrozenModels),
            GradientBytes = (keptWhole + Share(spec, count - keptWhole, fromStage: 2)) * Fp32,
            OptimizerBytes = Share(spec, count, fromStage: 1) * optimizer,
            TransientBytes =
                (spec.Sharding == 3 ? largestTwo * spec.ActivationBytes : 0) + (spec.Sharding >= 2 ? largestTwoSharded * Fp32 : 0),
            ActivationBytes = ActivationMeter.PeakOf(spec, program),
        };
    }

    private static long Share(StepSpecification spec, long count, int fromStage) =>
        spec.Sharding >= fromStage ? (count + spec.ZeroGroup - 1) / spec.ZeroGroup : count;
}
