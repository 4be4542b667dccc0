using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>What goes wrong.</summary>
public enum FaultKind
{
    /// <summary>SIGKILL to the rank's own process (at a step, inside a collective, inside a save).</summary>
    Kill,

    /// <summary>SIGTERM, as at a pre-emption.</summary>
    Terminate,

    /// <summary>SIGSTOP: the process stands still and does not die.</summary>
    Hang,

    /// <summary>A crash in native code (SIGSEGV).</summary>
    SegmentationFault,

    /// <summary>SIGKILL to mpirun.</summary>
    KillLauncher,

    /// <summary>An exception in the rank's code.</summary>
    Exception,

    /// <summary>An allocation that no machine can serve.</summary>
    OutOfMemory,

    /// <summary>The rank posts another collective than the others.</summary>
    MismatchedCollective,

    /// <summary>The rank sleeps for <c>seconds</c> in each of <c>steps</c> steps.</summary>
    SlowRank,

    /// <summary>A NaN in the rank's gradient.</summary>
    NanGradient,

    /// <summary>A loss far above what it was.</summary>
    LossSpike,

    /// <summary>A bit of the rank's weights flips.</summary>
    FlippedWeight,

    /// <summary>The rank's write of a checkpoint fails: no space left.</summary>
    DiskFull,

    /// <summary>The rank's write of a checkpoint takes <c>seconds</c> longer.</summary>
    SlowStorage,

    /// <summary>A byte of the rank's file in the newest checkpoint flips on the disk.</summary>
    FlippedCheckpointByte,

    /// <summary>The rank's file in the newest checkpoint loses its second half.</summary>
    TruncatedShard,

    /// <summary>The newest checkpoint loses its commit marker.</summary>
    MissingMarker,

    /// <summary>The newest checkpoint loses its manifest.</summary>
    MissingManifest,

    /// <summary>A token of the first training shard changes on the disk: give the run a copy of its data.</summary>
    DataChanged,

    /// <summary>Reading a sample fails.</summary>
    DataReaderError,

    /// <summary>Each GEMM of the rank's preflight takes <c>seconds</c> longer.</summary>
    SlowGemm,

    /// <summary>Each GEMM of the rank's preflight has a wrong bit.</summary>
    WrongGemm,
}

/// <summary>When within its step a fault of a process happens.</summary>
public enum FaultMoment
{
    /// <summary>As the step begins.</summary>
    Step,

    /// <summary>In the first kernel of the step's forward passes.</summary>
    Forward,

    /// <summary>In the first kernel of its backward passes, which libtorch's graph calls.</summary>
    Backward,

    /// <summary>With a collective of all ranks posted and not yet waited for.</summary>
    Collective,

    /// <summary>Inside the first save of that step or a later one, at <c>point</c>.</summary>
    Save,

    /// <summary>
    /// In a step that draws answers (<c>uniscale align</c>), once the rank has its own and before those of all are exchanged and rewarded.
    /// </summary>
    Draw,

    /// <summary>
    /// In the process that leads rounds, at <c>point</c>; <c>step</c> is the number of the round. A kill, an exception or a full disk.
    /// </summary>
    Round,
}

/// <summary>One fault.</summary>
public sealed record FaultSection
{
    /// <summary>What goes wrong.</summary>
    public FaultKind Kind { get; init; }

    /// <summary>Step, from 1, in which it happens.</summary>
    [Range(1)]
    public long Step { get; init; } = 1;

    /// <summary>Rank that it happens to; below 0: counted from the last, which is -1.</summary>
    public int Rank { get; init; } = -1;

    /// <summary>Host whose ranks it happens to, instead of <see cref="Rank"/>; not set: any.</summary>
    public string? Host { get; init; }

    /// <summary>It happens to every rank.</summary>
    public bool AllRanks { get; init; }

    /// <summary>When within the step: for the kinds that end or stop a process, an exception, and out of memory.</summary>
    public FaultMoment Moment { get; init; }

    /// <summary>
    /// Point of a save, for moment <c>save</c>, <c>disk-full</c> and <c>slow-storage</c>; the points that only rank 0 passes need <c>rank:
    /// 0</c>. For moment <c>round</c>: <c>comparisons-packed</c>, <c>reward-trained</c>, <c>policy-trained</c>, <c>patches-written</c> or
    /// <c>pairs-written</c>, each before the round's manifest says so.
    /// </summary>
    [OneOf(
        "folder-created",
        "staged",
        "first-block-written",
        "data-written",
        "data-synced",
        "announced",
        "all-durable",
        "manifest-written",
        "marker-written",
        "renamed",
        "pruned",
        "comparisons-packed",
        "reward-trained",
        "policy-trained",
        "patches-written",
        "pairs-written"
    )]
    public string Point { get; init; } = "first-block-written";

    /// <summary>How long something slow takes.</summary>
    [Range(0)]
    public double Seconds { get; init; } = 1;

    /// <summary>Steps that a slow rank is slow in.</summary>
    [Range(1)]
    public long Steps { get; init; } = 1;

    /// <summary>It happens each time that its moment comes; else once in the life of the run, restarts included.</summary>
    public bool Again { get; init; }
}

/// <summary>Faults on purpose, to try a run's recovery.</summary>
public sealed record FaultsSection
{
    /// <summary>Must be true where <see cref="Inject"/> names faults: nobody breaks a run by a forgotten section.</summary>
    public bool Enabled { get; init; }

    /// <summary>The faults, each by its kind, step and rank.</summary>
    public IReadOnlyList<FaultSection> Inject { get; init; } = [];
}

/// <summary>What faults have in common.</summary>
public static class FaultKinds
{
    /// <summary>Whether a fault happens in the preflight, before the first step.</summary>
    public static bool IsOfPreflight(this FaultKind kind) => kind is FaultKind.SlowGemm or FaultKind.WrongGemm;
}
