using Uniscale.Checkpoints.Tiers;

namespace Uniscale.Checkpoints;

/// <summary>What a save does when the one before is still being written.</summary>
public enum BusyPolicy
{
    /// <summary>Training waits until the earlier save is done.</summary>
    Wait,

    /// <summary>The new save is left out and counted.</summary>
    Skip,
}

/// <summary>Which ranks write one file.</summary>
public enum FileGrouping
{
    /// <summary>Each its own.</summary>
    Rank,

    /// <summary>Those of a host one together, each its part.</summary>
    Node,
}

/// <summary>How checkpoints are written, kept and read.</summary>
public sealed record CheckpointOptions
{
    /// <summary>Newest checkpoints kept; 0: all.</summary>
    public int Keep { get; init; } = 2;

    /// <summary>Every n-th checkpoint is kept for ever; 0: none.</summary>
    public int KeepEvery { get; init; }

    /// <summary>
    /// Checkpoints of so many steps before the newest stay too, and the one before them, so that a run can always go back so far; 0: none
    /// for that reason.
    /// </summary>
    public long Reach { get; init; }

    /// <summary>What happens to a save while another is being written.</summary>
    public BusyPolicy Busy { get; init; } = BusyPolicy.Wait;

    /// <summary>Bound of the host buffer; a rank whose share is larger is written while training waits, without a copy.</summary>
    public long StagingLimitBytes { get; init; } = long.MaxValue;

    /// <summary>Threads that copy to the host buffer and that read at load; 0: as many as this machine has processors, at most 4.</summary>
    public int Threads { get; init; }

    /// <summary>Which ranks write one file.</summary>
    public FileGrouping Files { get; init; }

    /// <summary>Name of this rank's host: ranks of one host meet before they tell others that they are durable.</summary>
    public string Host { get; init; } = Environment.MachineName;

    /// <summary>Each rank reads its file back from the disk before the checkpoint is committed.</summary>
    public bool ReadBack { get; init; } = true;

    /// <summary>Writes past the page cache where the file system can: the save takes neither memory nor cache from training.</summary>
    public bool Direct { get; init; } = true;

    /// <summary>
    /// Further places to which the hosts copy the newest checkpoint asynchronously, each what it wrote: directories that all of them see,
    /// or <c>s3://bucket/prefix</c>. A run whose own directory has no good checkpoint is restored from the first that has one.
    /// </summary>
    public IReadOnlyList<string> Tiers { get; init; } = [];

    /// <summary>
    /// Whose the copies in the tiers are, so that runs may share a tier: each restores and prunes its own. Rank 0's counts.
    /// </summary>
    public TierOwner? Owner { get; init; }

    /// <summary>Bytes that must stay free on the file system after a save.</summary>
    public long ReserveBytes { get; init; } = 64L << 20;

    /// <summary>How long a rank waits for the others to be durable before the save is given up.</summary>
    public TimeSpan DurableTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Name of the program that writes, kept in the manifest.</summary>
    public string CodeVersion { get; init; } = typeof(CheckpointOptions).Assembly.GetName().Version?.ToString(3) ?? "";

    /// <summary>Hears of every save; called on the thread that saves or on the writing thread.</summary>
    public ISaveObserver? Observer { get; init; }

    /// <summary>Called at the named points of a save (fault injection and tests).</summary>
    public Action<SavePoint>? Probe { get; init; }

    internal int EffectiveThreads => Threads > 0 ? Threads : Math.Min(4, Environment.ProcessorCount);
}

/// <summary>Points of a save at which a fault can be injected, in order.</summary>
public enum SavePoint
{
    /// <summary>The temporary folder is there (rank 0).</summary>
    FolderCreated,

    /// <summary>The state lies in the host buffer; training goes on.</summary>
    Staged,

    /// <summary>The first block of the rank's file is written.</summary>
    FirstBlockWritten,

    /// <summary>All blocks are written, not yet synced.</summary>
    DataWritten,

    /// <summary>The rank's file is on the disk.</summary>
    DataSynced,

    /// <summary>The rank has announced that it is durable.</summary>
    Announced,

    /// <summary>Every rank is durable (rank 0).</summary>
    AllDurable,

    /// <summary>The manifest is written (rank 0).</summary>
    ManifestWritten,

    /// <summary>The commit marker is written in the temporary folder (rank 0).</summary>
    MarkerWritten,

    /// <summary>The folder has its final name (rank 0).</summary>
    Renamed,

    /// <summary>Older checkpoints are pruned (rank 0).</summary>
    Pruned,
}
