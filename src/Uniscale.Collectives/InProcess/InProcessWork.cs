using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.InProcess;

/// <summary>One member's side of an operation.</summary>
internal sealed class InProcessWork(
    InProcessOperation operation,
    string group,
    int worldRank,
    long sequence,
    OperationSignature signature,
    CollectiveJournal journal
) : IWork
{
    private readonly long _number = journal.Post(group, sequence, signature);

    /// <summary>World rank of the member.</summary>
    public int WorldRank { get; } = worldRank;

    /// <summary>What the member posted.</summary>
    public OperationSignature Signature { get; } = signature;

    public bool IsCompleted => operation.IsEnded;

    public void Wait()
    {
        if (!operation.IsEnded)
            operation.WaitForEnd(WorldRank);
        if (operation.Failure is { } failure)
            throw new CollectiveException($"rank {WorldRank}: {Signature}, operation {sequence} of group {group}, failed: {failure}");
    }

    public void MarkStarted() => journal.Mark(_number, OperationState.Started);

    public void MarkEnded(bool failed) => journal.Mark(_number, failed ? OperationState.Failed : OperationState.Completed);
}
