namespace Uniscale.Collectives.Journal;

/// <summary>Kinds of operation between ranks.</summary>
public enum OperationKind
{
    /// <summary>Every rank receives the reduction of all.</summary>
    AllReduce,

    /// <summary>Every rank receives its part of the reduction.</summary>
    ReduceScatter,

    /// <summary>Every rank receives all ranks' parts.</summary>
    AllGather,

    /// <summary>All receive what one has.</summary>
    Broadcast,

    /// <summary>Every rank sends a part to each.</summary>
    AllToAll,

    /// <summary>One message to one rank.</summary>
    Send,

    /// <summary>One message from one rank.</summary>
    Receive,

    /// <summary>No data; all have come.</summary>
    Barrier,
}

/// <summary>How far an operation has come.</summary>
public enum OperationState
{
    /// <summary>Posted by this rank; other members may be missing.</summary>
    Posted,

    /// <summary>Every member has posted it (or MPI works on it).</summary>
    Started,

    /// <summary>The result is in place.</summary>
    Completed,

    /// <summary>It will never complete.</summary>
    Failed,
}

/// <summary>What is asked of a group: two members that post different operations at the same place have gone astray.</summary>
/// <param name="Kind">The operation.</param>
/// <param name="Count">Elements of the input.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Op">Reduction, where there is one.</param>
/// <param name="Peer">Root of a broadcast, other side of a message; else -1.</param>
/// <param name="Tag">Tag of a message; else 0.</param>
public readonly record struct OperationSignature(
    OperationKind Kind,
    long Count,
    ElementType Type,
    ReduceOp Op = ReduceOp.Sum,
    int Peer = -1,
    int Tag = 0
)
{
    /// <summary>One side of a message, not a collective.</summary>
    public bool IsMessage => Kind is OperationKind.Send or OperationKind.Receive;

    /// <summary>Bytes of the input.</summary>
    public long Bytes => Count * Type.SizeBytes();

    /// <inheritdoc/>
    public override string ToString()
    {
        string size = FormattableString.Invariant($"{Count:N0} {Type} ({FormatBytes(Bytes)})");
        return Kind switch
        {
            OperationKind.Barrier => "barrier",
            OperationKind.AllReduce => $"all-reduce ({Op}) of {size}",
            OperationKind.ReduceScatter => $"reduce-scatter ({Op}) of {size}",
            OperationKind.AllGather => $"all-gather of {size}",
            OperationKind.AllToAll => $"all-to-all of {size}",
            OperationKind.Broadcast => $"broadcast from {Peer} of {size}",
            OperationKind.Send => $"send to {Peer} (tag {Tag}) of {size}",
            _ => $"receive from {Peer} (tag {Tag}) of {size}",
        };
    }

    private static string FormatBytes(long bytes) =>
        bytes switch
        {
            < 1024 => $"{bytes} B",
            < 1 << 20 => FormattableString.Invariant($"{bytes / 1024.0:0.#} KiB"),
            < 1 << 30 => FormattableString.Invariant($"{bytes / 1048576.0:0.#} MiB"),
            _ => FormattableString.Invariant($"{bytes / 1073741824.0:0.##} GiB"),
        };
}

/// <summary>One operation of one rank, as the journal remembers it.</summary>
/// <param name="Number">Running number of the operation on this rank, over all groups.</param>
/// <param name="Group">Name of the group.</param>
/// <param name="Sequence">Running number of the collective within the group (messages: of the message): equal on all members.</param>
/// <param name="Signature">What was asked.</param>
/// <param name="State">How far it has come.</param>
/// <param name="Posted">When this rank posted it.</param>
/// <param name="Changed">When its state changed last.</param>
public sealed record JournalEntry(
    long Number,
    string Group,
    long Sequence,
    OperationSignature Signature,
    OperationState State,
    DateTimeOffset Posted,
    DateTimeOffset Changed
)
{
    /// <inheritdoc/>
    public override string ToString() => $"operation {Sequence} of group {Group}: {Signature} [{State.ToString().ToLowerInvariant()}]";
}
