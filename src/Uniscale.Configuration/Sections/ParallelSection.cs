using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>What is computed again in the backward pass instead of being kept.</summary>
public enum RecomputeKind
{
    /// <summary>Everything is kept.</summary>
    None,

    /// <summary>
    /// What is large and cheap in every block: normalised inputs and the output of the feed-forward activation (scores of attention are
    /// never kept by the tiled kernels).
    /// </summary>
    Selective,

    /// <summary>Every block from its input.</summary>
    [YamlName("block", "full")]
    Block,

    /// <summary>Every k-th block from its input.</summary>
    EveryKth,
}

/// <summary>How attention is split over the context axis.</summary>
public enum ContextKind
{
    /// <summary>Keys and values travel round the ring, load balanced (Liu et al., 2023).</summary>
    Ring,

    /// <summary>Heads are exchanged for sequence around attention (Jacobs et al., 2023).</summary>
    [YamlName("all-to-all", "ulysses")]
    AllToAll,
}

/// <summary>Which state of the optimizer is sharded over which group.</summary>
public sealed record ZeroSection
{
    /// <summary>0: nothing; 1: optimizer state; 2: and gradients; 3: and parameters (Rajbhandari et al., 2020).</summary>
    [Range(0, 3)]
    public int Stage { get; init; }

    /// <summary>Replicas that share one copy; 0: all (must divide data × context).</summary>
    [Range(0, Limits.Ranks)]
    public int Group { get; init; }
}

/// <summary>The parallel layout: the product of the axes is the number of ranks.</summary>
public sealed record ParallelSection
{
    /// <summary>Ranks that split each matrix (tensor axis, tp).</summary>
    [Range(1, Limits.Ranks)]
    public int Tensor { get; init; } = 1;

    /// <summary>Stages that the row of blocks is cut into (pipeline axis, pp).</summary>
    [Range(1, Limits.Ranks)]
    public int Pipeline { get; init; } = 1;

    /// <summary>Ranks that split each sequence (context axis, cp).</summary>
    [Range(1, Limits.Ranks)]
    public int Context { get; init; } = 1;

    /// <summary>Replicas; 0: ranks divided by the other axes.</summary>
    [Range(0, Limits.Ranks)]
    public int Data { get; init; }

    /// <summary>Norms and residuals split along the sequence within the tensor group (Korthikanti et al., 2022).</summary>
    public bool Sequence { get; init; }

    /// <summary>Sharding of optimizer state, gradients and parameters over the replicas.</summary>
    public ZeroSection Zero { get; init; } = new();

    /// <summary>
    /// Name of the pipeline schedule: gpipe, 1f1b, interleaved-1f1b, zero-bubble, or one that was added (Uniscale.Programs.Schedules).
    /// </summary>
    public string Schedule { get; init; } = "1f1b";

    /// <summary>Chunks of blocks a stage (interleaved only).</summary>
    [Range(1, Limits.Layers)]
    public int Chunks { get; init; } = 1;

    /// <summary>What the backward pass computes again to save memory.</summary>
    public RecomputeKind Recompute { get; init; } = RecomputeKind.None;

    /// <summary>k of every-kth recomputation.</summary>
    [Range(1)]
    public int RecomputeEvery { get; init; } = 1;

    /// <summary>How attention is split over the context axis.</summary>
    public ContextKind ContextMethod { get; init; } = ContextKind.Ring;

    /// <summary>Axes from the slowest to the fastest changing rank.</summary>
    public IReadOnlyList<string> Order { get; init; } = ["pp", "dp", "cp", "tp"];

    /// <summary>Ranks of one replica: tensor × pipeline × context.</summary>
    public int ReplicaRanks => Tensor * Pipeline * Context;
}
