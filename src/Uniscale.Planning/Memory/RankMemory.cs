using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Memory;

/// <summary>A part of a rank's memory.</summary>
/// <param name="Name">What it holds.</param>
/// <param name="Bytes">Bytes; null where the cluster's figure is unknown.</param>
public readonly record struct MemoryPart(string Name, double? Bytes);

/// <summary>
/// Memory of one rank at its peak, part by part. State follows <see cref="MemoryPlan"/>, activations are the program's own peak
/// (<see cref="ActivationMeter"/>) with what
/// the stack's kernels keep. A part whose figure nobody published is there as unknown, and no total hides it.
/// </summary>
public sealed record RankMemory
{
    /// <summary>Parts that runs have which learn from answers.</summary>
    internal const string Frozen = "models that are only read",
        Critic = "critic with its gradients and moments",
        Drawing = "answers drawn, beyond activations",
        Context = "context and communicators",
        Fragmentation = "fragmentation",
        Margin = "margin";

    /// <summary>The rank.</summary>
    public required int Rank { get; init; }

    /// <summary>Its pipeline stage.</summary>
    public required int Stage { get; init; }

    /// <summary>All parts.</summary>
    public required IReadOnlyList<MemoryPart> Parts { get; init; }

    /// <summary>Most bytes that blocks keep between their passes, within the activations.</summary>
    public required double KeptBytes { get; init; }

    /// <summary>Keys and values of the answers that are drawn together, and under ZeRO-3 the parameters that draw them.</summary>
    public required double DrawingBytes { get; init; }

    /// <summary>Bytes of a part by its name; 0 where they are unknown.</summary>
    public double this[string name] => Parts.First(part => part.Name == name).Bytes ?? 0;

    /// <summary>Sum of what is known.</summary>
    public double KnownBytes => Parts.Sum(part => part.Bytes ?? 0);

    /// <summary>Names of the parts that are unknown.</summary>
    public IEnumerable<string> Unknown => Parts.Where(part => part.Bytes is null).Select(part => part.Name);

    /// <summary>Parameters, gradients, master weights and moments.</summary>
    public double StateBytes => Parts.Take(4).Sum(part => part.Bytes ?? 0);

    /// <summary>Account of a rank.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="program">The rank's program.</param>
    /// <param name="cluster">What a process takes besides tensors.</param>
    /// <param name="stack">What its kernels keep.</param>
    public static RankMemory Of(StepSpecification spec, StepProgram program, Cluster cluster, StackSection stack)
    {
        var plan = MemoryPlan.Of(spec, program);
        var meter = new ActivationMeter(spec, new ActivationTraits(stack.Attention == AttentionKind.Scores, stack.Dropout));
        foreach (var instruction in program.Instructions)
            meter.Run(instruction);
        int stage = spec.Mesh.CoordinateOf(program.Rank).Pipeline;
        bool isFp32 = spec.ActivationBytes == sizeof(float);
        double master = isFp32 ? 0 : plan.OptimizerBytes / 3.0;
        int[] blocks = StagePartition.Of(spec).BlocksOf(stage).ToArray();
        double logits = blocks.Contains(spec.Model.Head) ? new ActivationMemory(spec).ForwardBytes(spec.Model.Head) : 0;
        double staging = StagingBytes(spec, stack, blocks);
        double drawing = Math.Max(0, plan.DrawingBytes - plan.TransientBytes - meter.PeakBytes);
        double tensors =
            plan.ParameterBytes
            + plan.FrozenBytes
            + plan.CriticBytes
            + plan.GradientBytes
            + plan.OptimizerBytes
            + plan.TransientBytes
            + meter.PeakBytes
            + staging
            + drawing;
        return new RankMemory
        {
            Rank = program.Rank,
            Stage = stage,
            KeptBytes = meter.PeakKeptBytes,
            Parts =
            [
                new("parameters", plan.ParameterBytes),
                new("gradients", plan.GradientBytes),
                new("master weights", master),
                new("moments", plan.OptimizerBytes - master),
                new(Frozen, plan.FrozenBytes),
                new(Critic, plan.CriticBytes),
                new("gathered parameters, unreduced gradients", plan.TransientBytes),
                new("activations kept", meter.PeakKeptBytes),
                new("logits of the head", Math.Min(logits, meter.PeakBytes - meter.PeakKeptBytes)),
                new("tensors between and within passes", Math.Max(0, meter.PeakBytes - meter.PeakKeptBytes - logits)),
                new("communication buffers", staging),
                new("kernel workspace", cluster.WorkspaceBytes),
                new(Context, cluster.ContextBytes),
                new(Fragmentation, cluster.Fragmentation * tensors),
                new(Drawing, drawing),
            ],
            DrawingBytes = plan.DrawingBytes,
        };
    }

    /// <summary>A gradient that is reduced in another size than it is kept is copied first, one block at a time.</summary>
    private static double StagingBytes(StepSpecification spec, StackSection stack, int[] blocks) =>
        spec.ReplicaCount == 1 || stack.GradientBytes == sizeof(float)
            ? 0
            : blocks.Max(block => ParameterCount.OfBlock(spec, block)) * (double)stack.GradientBytes;
}
