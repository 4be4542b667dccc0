using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>Numbers that parameters and activations are held in.</summary>
public enum PrecisionKind
{
    /// <summary>32-bit throughout.</summary>
    [YamlName("fp32", "float32")]
    Fp32,

    /// <summary>bfloat16 parameters and activations; fp32 master weights, gradient accumulation and loss.</summary>
    [YamlName("bf16", "bfloat16")]
    Bf16,
}

/// <summary>Shape of the learning-rate curve after warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>The peak.</summary>
    Constant,

    /// <summary>Half a cosine from the peak to the final rate (Loshchilov and Hutter, 2017).</summary>
    Cosine,

    /// <summary>A straight line from the peak to the final rate.</summary>
    Linear,

    /// <summary>The peak, and a straight line to the final rate in the last share of the run (Hu et al., 2024).</summary>
    [YamlName("wsd", "warmup-stable-decay")]
    WarmupStableDecay,
}

/// <summary>A set of shards with a name and a domain.</summary>
public sealed record SourceSection
{
    /// <summary>Name of the source, unique among its kind.</summary>
    public string Name { get; init; } = "";

    /// <summary>Domain that the source belongs to, e.g. web, books, code; several sources may share one.</summary>
    public string Domain { get; init; } = "";

    /// <summary>Shard prefixes (without .bin/.idx), or patterns with <c>*</c>.</summary>
    [FilePath]
    public IReadOnlyList<string> Shards { get; init; } = [];

    /// <summary>Share of the mixture; 0 in every source: by size.</summary>
    [Range(0)]
    public double Weight { get; init; }

    /// <summary>Tokens of a source whose shards are not here (planning only).</summary>
    [Range(0, Limits.Tokens), Unit(Unit.Tokens)]
    public long VirtualTokens { get; init; }
}

/// <summary>Where tokens come from.</summary>
public sealed record DataSection
{
    /// <summary>Tokenizer: a SentencePiece model, or a tokenizer.json of byte-level BPE.</summary>
    [FilePath]
    public string? Tokenizer { get; init; }

    /// <summary>What is trained on.</summary>
    public IReadOnlyList<SourceSection> Sources { get; init; } = [];

    /// <summary>Validation shards; each is reported alone, by its domain.</summary>
    public IReadOnlyList<SourceSection> Validation { get; init; } = [];

    /// <summary>Times a source may be seen before the plan is refused; 0: no bound.</summary>
    [Range(0)]
    public double MaxEpochs { get; init; }

    /// <summary>
    /// Tokens in a window, the unit in which sources are shuffled; 0: the longest context of all phases. A fork keeps it.
    /// </summary>
    [Range(0)]
    public int Window { get; init; }
}

/// <summary>Sequences per step.</summary>
public sealed record BatchSection
{
    /// <summary>Sequences in an optimizer step, over all replicas.</summary>
    [Range(1, Limits.Sequences)]
    public int Global { get; init; } = 16;

    /// <summary>Sequences in a microbatch of one replica; 0: the largest that divides the replica's share.</summary>
    [Range(0, Limits.Sequences)]
    public int Micro { get; init; }

    /// <summary>Global batch by consumed tokens, e.g. <c>0: 16, 10M: 32</c>; empty: constant.</summary>
    public IReadOnlyDictionary<string, string> Ramp { get; init; } = new Dictionary<string, string>();
}

/// <summary>AdamW (Loshchilov and Hutter, 2019) and clipping by the global norm.</summary>
public sealed record OptimizerSection
{
    /// <summary>Peak learning rate.</summary>
    [Range(0, MinimumExclusive = true)]
    public double Lr { get; init; } = 3e-4;

    /// <summary>Decay of the mean of gradients.</summary>
    [Range(0, 1, MaximumExclusive = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of squared gradients.</summary>
    [Range(0, 1, MaximumExclusive = true)]
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the second mean.</summary>
    [Range(0, MinimumExclusive = true)]
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled decay of matrices; norms, biases and embeddings' positions are left out.</summary>
    [Range(0)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Bound of the global gradient norm; 0: no clipping.</summary>
    [Range(0)]
    public double Clip { get; init; } = 1.0;
}

/// <summary>Learning rate as a function of consumed tokens.</summary>
public sealed record ScheduleSection
{
    /// <summary>Shape of the curve.</summary>
    public ScheduleKind Kind { get; init; } = ScheduleKind.Cosine;

    /// <summary>Share of the run (or phase) spent warming up linearly.</summary>
    [Range(0, 1)]
    public double WarmupRatio { get; init; } = 0.025;

    /// <summary>Last learning rate as a share of the peak.</summary>
    [Range(0, 1)]
    public double FinalRatio { get; init; } = 0.1;

    /// <summary>Share of the run spent decaying at its end (warm-up-stable-decay).</summary>
    [Range(0, 1)]
    public double DecayRatio { get; init; } = 0.2;
}

/// <summary>How long, with which precision, from which seed.</summary>
public sealed record TrainSection
{
    /// <summary>Optimizer steps; 0: as <see cref="Tokens"/> says. With phases: an end before theirs.</summary>
    [Range(0, Limits.Steps)]
    public long Steps { get; init; }

    /// <summary>Tokens to train on (e.g. <c>1.6T</c>); 0: as <see cref="Steps"/> says, or the sum of the phases.</summary>
    [Range(0, Limits.Tokens), Unit(Unit.Tokens)]
    public long Tokens { get; init; }

    /// <summary>Numbers that parameters and activations are held in.</summary>
    public PrecisionKind Precision { get; init; } = PrecisionKind.Fp32;

    /// <summary>Seed of initial weights, order of data and everything else that is drawn.</summary>
    [Range(0)]
    public long Seed { get; init; } = 1234;

    /// <summary><c>cpu</c> or <c>cuda</c>.</summary>
    [OneOf("cpu", "cuda")]
    public string Device { get; init; } = "cpu";

    /// <summary>Compute threads of a rank; 0: processors divided by ranks of this machine.</summary>
    [Range(0)]
    public int Threads { get; init; }

    /// <summary>Steps between checksums across replicas; 0: never.</summary>
    [Range(0)]
    public int ChecksumEvery { get; init; }

    /// <summary>Refuse, before anything is allocated, what the machine's memory (or its control group's limit) cannot hold.</summary>
    public bool CheckMemory { get; init; } = true;
}

/// <summary>Which ranks write one file of a checkpoint.</summary>
public enum CheckpointFiles
{
    /// <summary>Each its own.</summary>
    Rank,

    /// <summary>Those of a host one together.</summary>
    Node,
}

/// <summary>When and where checkpoints are written.</summary>
public sealed record CheckpointSection
{
    /// <summary>Steps between saves; 0: only at the end.</summary>
    [Range(0)]
    public long Every { get; init; }

    /// <summary>Newest checkpoints kept; 0: all.</summary>
    [Range(0)]
    public int Keep { get; init; } = 2;

    /// <summary>Every n-th checkpoint is kept for ever; 0: none.</summary>
    [Range(0)]
    public int KeepEvery { get; init; }

    /// <summary>Directory; default: <c>RUN/checkpoints</c>.</summary>
    [FilePath]
    public string? Directory { get; init; }

    /// <summary>One file a rank, or one a host, which its ranks write together. Either is read under any layout.</summary>
    public CheckpointFiles Files { get; init; }

    /// <summary>Write asynchronously (only the copy to a host buffer blocks training).</summary>
    public bool Async { get; init; } = true;

    /// <summary>Leave a save out where the one before is still being written; else training waits for it.</summary>
    public bool SkipWhenBusy { get; init; }

    /// <summary>
    /// Further places for copies of the newest checkpoints: directories, or <c>s3://bucket/prefix</c>. A lost directory is restored from
    /// them.
    /// </summary>
    [FilePath]
    public IReadOnlyList<string> Tiers { get; init; } = [];
}

/// <summary>What is printed and written.</summary>
public sealed record LoggingSection
{
    /// <summary>Steps between lines.</summary>
    [Range(1)]
    public int Every { get; init; } = 10;

    /// <summary>Write TensorBoard event files beside metrics.jsonl.</summary>
    public bool TensorBoard { get; init; } = true;

    /// <summary>
    /// Steps between histograms of each block's weights and gradients in TensorBoard; 0: none. Each takes a read of all of them.
    /// </summary>
    [Range(0)]
    public int Histograms { get; init; }

    /// <summary>Peak of the device in FLOP/s for MFU; 0: measured at start on a CPU, n/a elsewhere.</summary>
    [Range(0), Unit(Unit.Flops)]
    public double PeakFlops { get; init; }
}

/// <summary>One phase of the curriculum. What is not set is taken from the run.</summary>
public sealed record PhaseSection
{
    /// <summary>Name of the phase, unique.</summary>
    public string Name { get; init; } = "";

    /// <summary>Tokens of the phase.</summary>
    [Range(0, Limits.Tokens), Unit(Unit.Tokens)]
    public long Tokens { get; init; }

    /// <summary>Weights by source or domain name.</summary>
    [Range(0)]
    public IReadOnlyDictionary<string, double> Mixture { get; init; } = new Dictionary<string, double>();

    /// <summary>Tokens in a sequence of this phase.</summary>
    [Range(1, Limits.Context)]
    public int? Context { get; init; }

    /// <summary>Sequences per step of this phase.</summary>
    public BatchSection? Batch { get; init; }

    /// <summary>Peak learning rate of this phase.</summary>
    [Range(0, MinimumExclusive = true)]
    public double? Lr { get; init; }

    /// <summary>Last learning rate of this phase as a share of its peak.</summary>
    [Range(0, 1)]
    public double? FinalRatio { get; init; }

    /// <summary>Share of this phase spent warming up.</summary>
    [Range(0, 1)]
    public double? WarmupRatio { get; init; }

    /// <summary>Decoupled decay in this phase.</summary>
    [Range(0)]
    public double? WeightDecay { get; init; }

    /// <summary>Base of the rotary angles in this phase.</summary>
    [Range(1, MinimumExclusive = true)]
    public double? RopeBase { get; init; }

    /// <summary>Names of validation sources; empty: all.</summary>
    public IReadOnlyList<string> Evaluate { get; init; } = [];

    /// <summary>
    /// The run stops, saved, at the end of this phase where the mean loss on <c>evaluate</c> is above this; 0: in any case; not set: it
    /// goes on.
    /// </summary>
    [Range(0)]
    public double? StopAbove { get; init; }

    /// <summary>
    /// The run stops, saved, at the end of this phase where the score of a task is below this, by its name in results, e.g. ham or
    /// mmlu_STEM; its first metric counts, from 0 to 1.
    /// </summary>
    [Range(0, 1)]
    public IReadOnlyDictionary<string, double> StopBelow { get; init; } = new Dictionary<string, double>();

    /// <summary>The phase has a curve of the learning rate of its own, over its own tokens; else it lies on that of the run.</summary>
    public bool HasOwnCurve => Lr is not null || FinalRatio is not null || WarmupRatio is not null;
}
