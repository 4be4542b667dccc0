using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.Nccl.Ordering;

/// <summary>What ranks have to know of an operation to agree on its place.</summary>
internal interface IOrderedOperation
{
    /// <summary>The operation's ranks on the control world; one such group for each group of a world.</summary>
    IProcessGroup Control { get; }

    /// <summary>Name of the group, for messages.</summary>
    string GroupName { get; }

    /// <summary>What this rank asked for.</summary>
    OperationSignature Signature { get; }

    /// <summary>Place among the group's collectives, or among its messages.</summary>
    long Sequence { get; }
}
