namespace Uniscale.Checkpoints;

/// <summary>How a save ended.</summary>
public enum SaveStatus
{
    /// <summary>Every rank's part is on the disk and the checkpoint is committed.</summary>
    Durable,

    /// <summary>Left out: an earlier save was still being written.</summary>
    Skipped,

    /// <summary>Not enough room on the file system; nothing was written.</summary>
    NoSpace,

    /// <summary>Begun and given up; nothing of it is left, older checkpoints are untouched.</summary>
    Failed,
}

/// <summary>The end of a save, the same on every rank except for sizes and times.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="Step">Step of the checkpoint.</param>
/// <param name="Path">Folder of the checkpoint (committed if durable).</param>
/// <param name="Reason">One sentence where the save is not durable, or where pruning after it failed.</param>
public sealed record SaveResult(SaveStatus Status, long Step, string Path, string Reason = "")
{
    /// <summary>Bytes that this rank wrote.</summary>
    public long SizeBytes { get; init; }

    /// <summary>How long training was held up: the wait for an earlier save, the exchange of plans and the copy.</summary>
    public TimeSpan Blocked { get; init; }

    /// <summary>Part of <see cref="Blocked"/> spent copying to the host buffer.</summary>
    public TimeSpan Staging { get; init; }

    /// <summary>Writing and syncing this rank's file.</summary>
    public TimeSpan Writing { get; init; }

    /// <summary>Reading it back.</summary>
    public TimeSpan ReadBack { get; init; }

    /// <summary>From the call until the commit.</summary>
    public TimeSpan Total { get; init; }
}

/// <summary>The state of a step lies in host memory and training goes on; nothing is durable yet.</summary>
/// <param name="Step">Step of the checkpoint.</param>
/// <param name="SizeBytes">Bytes of this rank's file.</param>
/// <param name="Blocked">How long training was held up.</param>
/// <param name="Staging">Part of it spent copying.</param>
public sealed record SaveStaged(long Step, long SizeBytes, TimeSpan Blocked, TimeSpan Staging);

/// <summary>Hears of saves. What it throws is not caught.</summary>
public interface ISaveObserver
{
    /// <summary>Training goes on; the checkpoint is not durable yet.</summary>
    void Staged(SaveStaged staged);

    /// <summary>The save has ended: durable, or not and why.</summary>
    void Ended(SaveResult result);

    /// <summary>A durable checkpoint has been copied to a tier, or could not be (one sentence). Rank 0 only.</summary>
    void Replicated(long step, string tier, string? problem) { }
}

/// <summary>A save that is under way.</summary>
/// <param name="Step">Step of the checkpoint.</param>
/// <param name="Completion">Ends when the checkpoint is committed or given up; it never faults.</param>
public sealed record PendingSave(long Step, Task<SaveResult> Completion)
{
    /// <summary>Waits for the end.</summary>
    public SaveResult Wait() => Completion.GetAwaiter().GetResult();
}
