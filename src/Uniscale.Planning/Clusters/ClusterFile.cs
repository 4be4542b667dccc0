namespace Uniscale.Planning.Clusters;

/// <summary>A cluster as its file describes it (configs/clusters/NAME.yaml).</summary>
public sealed record ClusterFile
{
    /// <summary>Name of the cluster.</summary>
    public string Name { get; init; } = "";

    /// <summary>One line about it.</summary>
    public string Summary { get; init; } = "";

    /// <summary>The accelerator.</summary>
    public ChipSection Chip { get; init; } = new();

    /// <summary>The machine that holds accelerators.</summary>
    public NodeSection Node { get; init; } = new();

    /// <summary>What connects machines.</summary>
    public FabricSection Fabric { get; init; } = new();

    /// <summary>Where checkpoints go.</summary>
    public StorageSection Storage { get; init; } = new();

    /// <summary>Memory that a process takes besides tensors.</summary>
    public ProcessSection Process { get; init; } = new();

    /// <summary>What an hour of one accelerator costs.</summary>
    public PriceSection Price { get; init; } = new();

    /// <summary>Training software on this hardware; the first is the default.</summary>
    public IReadOnlyList<StackSection> Stacks { get; init; } = [];
}

/// <summary>An accelerator.</summary>
public sealed record ChipSection
{
    /// <summary>Name for people.</summary>
    public string Name { get; init; } = "";

    /// <summary>Dense bf16 peak, FLOP/s.</summary>
    public Figure PeakBf16 { get; init; } = new();

    /// <summary>Dense peak of fp32 products as they are run, FLOP/s.</summary>
    public Figure PeakFp32 { get; init; } = new();

    /// <summary>Memory of a rank, bytes.</summary>
    public Figure Memory { get; init; } = new();

    /// <summary>Memory bandwidth, bytes/s.</summary>
    public Figure MemoryBandwidth { get; init; } = new();
}

/// <summary>A machine.</summary>
public sealed record NodeSection
{
    /// <summary>Accelerators (ranks).</summary>
    public Figure Gpus { get; init; } = new();

    /// <summary>Bandwidth between accelerators of a machine, one way, bytes/s of each.</summary>
    public Figure LinkBandwidth { get; init; } = new();

    /// <summary>Latency of a transfer inside a machine, seconds.</summary>
    public Figure LinkLatency { get; init; } = new();

    /// <summary>Network interfaces for training traffic.</summary>
    public Figure Nics { get; init; } = new();

    /// <summary>Bandwidth of one interface, one way, bytes/s.</summary>
    public Figure NicBandwidth { get; init; } = new();
}

/// <summary>The network between machines.</summary>
public sealed record FabricSection
{
    /// <summary>Accelerators there are.</summary>
    public Figure Gpus { get; init; } = new();

    /// <summary>Latency between machines, seconds.</summary>
    public Figure Latency { get; init; } = new();

    /// <summary>Accelerators within which the network has full bisection.</summary>
    public Figure PodGpus { get; init; } = new();

    /// <summary>How many times less bandwidth there is between pods.</summary>
    public Figure Oversubscription { get; init; } = new();
}

/// <summary>Storage of checkpoints, as the whole job sees it.</summary>
public sealed record StorageSection
{
    /// <summary>Bytes/s written by all ranks together.</summary>
    public Figure WriteBandwidth { get; init; } = new();

    /// <summary>Bytes/s read by all ranks together.</summary>
    public Figure ReadBandwidth { get; init; } = new();

    /// <summary>Bytes/s at which one rank copies its state to a staging buffer; this part blocks training.</summary>
    public Figure StagingBandwidth { get; init; } = new();
}

/// <summary>Memory besides tensors.</summary>
public sealed record ProcessSection
{
    /// <summary>Driver context, libraries and communicators of a rank, bytes.</summary>
    public Figure Context { get; init; } = new();

    /// <summary>Scratch memory of kernels, bytes.</summary>
    public Figure Workspace { get; init; } = new();

    /// <summary>Share by which the allocator's memory is larger than what is in use.</summary>
    public Figure Fragmentation { get; init; } = new();

    /// <summary>
    /// Share that predictions of host memory stay above what the figures say, as layouts that were not measured may differ; unknown: 0.
    /// </summary>
    public Figure Margin { get; init; } = new();
}

/// <summary>Price.</summary>
public sealed record PriceSection
{
    /// <summary>Money for an hour of one accelerator.</summary>
    public Figure GpuHour { get; init; } = new();

    /// <summary>Its currency.</summary>
    public string Currency { get; init; } = "";
}

/// <summary>How attention treats its scores.</summary>
public enum AttentionKind
{
    /// <summary>Tiles, nothing of the size of the scores is written; only the causal half is computed (Dao et al., 2022).</summary>
    Flash,

    /// <summary>The whole matrix of scores is written, masked and read again.</summary>
    Scores,
}

/// <summary>A training software on this hardware: what it does, and constants fitted to its published or measured rows.</summary>
public sealed record StackSection
{
    /// <summary>Name, e.g. <c>megatron</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where <see cref="Constants"/> come from, or what they were fitted on.</summary>
    public string Source { get; init; } = "";

    /// <summary>How attention is computed.</summary>
    public AttentionKind Attention { get; init; } = AttentionKind.Flash;

    /// <summary>Dropout after attention, scores and feed-forward, with its masks.</summary>
    public bool Dropout { get; init; }

    /// <summary>Reductions of gradients run beside the backward pass.</summary>
    public bool OverlapGradients { get; init; } = true;

    /// <summary>Sends between stages run beside computation.</summary>
    public bool OverlapSends { get; init; } = true;

    /// <summary>A tensor between stages is sent in parts by the tensor ranks (scatter and gather, Narayanan et al., 2021).</summary>
    public bool SplitSends { get; init; } = true;

    /// <summary>
    /// Sharded state is summed at and sent by its owners one after the other (a reduce and a broadcast of each, as InternEvo does), and not
    /// in a ring: latency grows with the members.
    /// </summary>
    public bool ShardsInTurn { get; init; }

    /// <summary>Bytes of a gradient when it is reduced.</summary>
    public int GradientBytes { get; init; } = 4;

    /// <summary>
    /// Another stack of the same file whose constants this one has: the same software with other features. Empty: its own.
    /// </summary>
    public string ConstantsOf { get; init; } = "";

    /// <summary>Names of the constants that were fitted, at most six; the others are figures with a source of their own.</summary>
    public IReadOnlyList<string> Free { get; init; } = [];

    /// <summary>Constants of time.</summary>
    public ConstantsSection Constants { get; init; } = new();
}

/// <summary>The free constants of a pair of chip and software.</summary>
public sealed record ConstantsSection
{
    /// <summary>Share of the dense peak that large matrix products reach.</summary>
    public double Matmul { get; init; }

    /// <summary>Share of the dense peak that attention between queries and keys reaches; 0: as <see cref="Matmul"/>.</summary>
    public double Attention { get; init; }

    /// <summary>Share of the memory bandwidth that other kernels reach.</summary>
    public double Memory { get; init; }

    /// <summary>
    /// Share of its speed that a rank keeps while all other ranks of its machine compute: cores have caches, memory and clock in common;
    /// GPUs do not (1).
    /// </summary>
    public double FullNode { get; init; } = 1;

    /// <summary>Share of the bandwidth inside a machine that collectives reach.</summary>
    public double NodeLink { get; init; }

    /// <summary>Share of the network interfaces' bandwidth that is reached.</summary>
    public double FabricLink { get; init; }

    /// <summary>Seconds of each pass over a block besides its kernels (launches, host).</summary>
    public double Overhead { get; init; }

    /// <summary>Seconds of each step besides its passes (data, host, optimizer's launches).</summary>
    public double StepOverhead { get; init; }

    /// <summary>Seconds of a collective's step from one machine to the next; 0: the cluster's latency.</summary>
    public double HopLatency { get; init; }
}
