namespace Uniscale.Collectives.Nccl.Ordering;

/// <summary>
/// Decides when a rank launches which operation. A device may run one kernel of NCCL at a time, in the order of launches, so all ranks have
/// to
/// launch what they have in common in one order, over all groups. Used by one thread.
/// </summary>
internal interface ILaunchOrder<T>
    where T : IOrderedOperation
{
    /// <summary>Takes part in an operation that this rank has posted.</summary>
    void Enter(T operation);

    /// <summary>Goes on as far as it can; true if something has moved.</summary>
    bool Advance();

    /// <summary>Adds what is to be launched next, together; false where nothing is yet.</summary>
    bool TryTake(List<T> together);

    /// <summary>Operations that were entered and not taken.</summary>
    IReadOnlyCollection<T> Waiting { get; }
}
