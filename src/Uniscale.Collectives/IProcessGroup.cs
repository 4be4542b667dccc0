using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Messages;
using Uniscale.Collectives.Nccl;

namespace Uniscale.Collectives;

/// <summary>Type of the elements of a buffer.</summary>
public enum ElementType
{
    /// <summary>Bytes.</summary>
    UInt8,

    /// <summary>32-bit integers.</summary>
    Int32,

    /// <summary>64-bit integers.</summary>
    Int64,

    /// <summary>16 bits: 8 of exponent, 7 of fraction.</summary>
    BFloat16,

    /// <summary>16 bits: 5 of exponent, 10 of fraction.</summary>
    Float16,

    /// <summary>Single precision.</summary>
    Float32,

    /// <summary>Double precision.</summary>
    Float64,
}

/// <summary>How elements of several ranks become one.</summary>
public enum ReduceOp
{
    /// <summary>The sum, in the order of the ranks.</summary>
    Sum,

    /// <summary>The greatest.</summary>
    Max,

    /// <summary>The least.</summary>
    Min,
}

/// <summary>Raw memory of a tensor: contiguous, owned by the caller until the operation that uses it is complete.</summary>
/// <param name="Address">First byte; host memory, or device memory for a device group.</param>
/// <param name="Count">Number of elements.</param>
/// <param name="Type">Type of an element.</param>
public readonly record struct CommBuffer(nint Address, long Count, ElementType Type)
{
    /// <summary>Part of the buffer.</summary>
    public CommBuffer Slice(long offset, long count) => new(Address + (nint)(offset * Type.SizeBytes()), count, Type);
}

/// <summary>Facts about element types.</summary>
public static class ElementTypes
{
    /// <summary>Bytes of an element.</summary>
    public static int SizeBytes(this ElementType type) =>
        type switch
        {
            ElementType.UInt8 => 1,
            ElementType.BFloat16 or ElementType.Float16 => 2,
            ElementType.Int32 or ElementType.Float32 => 4,
            _ => 8,
        };
}

/// <summary>
/// A posted operation. The collectives of one group run one after another, in the order in which they were posted; messages
/// and operations of different groups overlap, so one that needs another's result is posted after <see cref="Wait"/>.
/// </summary>
public interface IWork
{
    /// <summary>True once the result is in place (or the operation failed: <see cref="Wait"/> then throws).</summary>
    bool IsCompleted { get; }

    /// <summary>
    /// Blocks until the result is in place; throws <see cref="CollectiveException"/> with rank, operation and size on failure. For tensors
    /// of a device: until it
    /// is in place for whatever the rank's compute stream is given next, which does not wait for the device.
    /// </summary>
    void Wait();

    /// <summary>Blocks until the operation no longer touches memory, whether it succeeded or failed.</summary>
    void WaitRegardless()
    {
        try
        {
            Wait();
        }
        catch (CollectiveException)
        {
            // The failure ended the operation, which is all that is asked here; who needs the result calls Wait.
        }
    }
}

/// <summary>
/// Ranks that communicate. Every member posts the same collectives in the same order; posting returns at once,
/// the operation runs beside it or when the rank waits.
/// </summary>
public interface IProcessGroup : IDisposable
{
    /// <summary>Name for logs and the journal of collectives, e.g. <c>dp[0,2]</c>.</summary>
    string Name { get; }

    /// <summary>This rank's place in the group.</summary>
    int Rank { get; }

    /// <summary>Number of members.</summary>
    int Size { get; }

    /// <summary>World ranks of the members, in group order.</summary>
    IReadOnlyList<int> WorldRanks { get; }

    /// <summary>Reduces in place; every member ends with the same bits.</summary>
    IWork AllReduce(CommBuffer buffer, ReduceOp op = ReduceOp.Sum);

    /// <summary>
    /// Reduces <paramref name="input"/> (Size × output count) and leaves part Rank in <paramref name="output"/>, which may be that part of
    /// the input itself.
    /// </summary>
    IWork ReduceScatter(CommBuffer input, CommBuffer output, ReduceOp op = ReduceOp.Sum);

    /// <summary>
    /// Gathers every member's <paramref name="input"/> into <paramref name="output"/> (Size × input count); the input may be part Rank of
    /// the output.
    /// </summary>
    IWork AllGather(CommBuffer input, CommBuffer output);

    /// <summary>Copies the root's buffer to all (root is a group rank).</summary>
    IWork Broadcast(CommBuffer buffer, int root);

    /// <summary>Sends part i of the input to member i; the part received from member j lands at part j of the output.</summary>
    IWork AllToAll(CommBuffer input, CommBuffer output);

    /// <summary>Sends to a group rank. Messages between two ranks with the same tag arrive in order.</summary>
    IWork Send(CommBuffer buffer, int peer, int tag = 0);

    /// <summary>Receives from a group rank; the count must be the sender's.</summary>
    IWork Receive(CommBuffer buffer, int peer, int tag = 0);

    /// <summary>Completes when every member has posted it.</summary>
    IWork Barrier();

    /// <summary>
    /// Memory of zeros that all members see at one address; null where they are not in one process. All members ask for the same, in the
    /// same
    /// order. Who reads what another has written comes after a collective that the writer posted after writing.
    /// </summary>
    SharedMemory? Share(long bytes) => null;
}

/// <summary>All ranks of a job, seen from one of them.</summary>
public interface IWorld : IDisposable
{
    /// <summary>This rank.</summary>
    int Rank { get; }

    /// <summary>Number of ranks.</summary>
    int Size { get; }

    /// <summary>The group of all ranks.</summary>
    IProcessGroup Group { get; }

    /// <summary>
    /// The group of all ranks for host memory, whose results the host reads; <see cref="Group"/> itself where tensors lie in host memory.
    /// </summary>
    IProcessGroup HostGroup => Group;

    /// <summary>Copies between the host and the rank's device; null where tensors lie in host memory alone.</summary>
    DeviceStaging? Staging => null;

    /// <summary>Small messages beside the operations, for what runs beside training.</summary>
    IMessages Messages { get; }

    /// <summary>
    /// Makes a group of some ranks. All ranks of the world call it, in the same order, with the same groups; ranks outside get null.
    /// </summary>
    IProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name);

    /// <summary>What carries the messages between processes, for people; empty where the ranks are threads of one.</summary>
    string Transport => "";

    /// <summary>The last operations of this rank, readable from any thread.</summary>
    CollectiveJournal Journal { get; }

    /// <summary>Why nothing works any more, or null.</summary>
    string? Failure { get; }

    /// <summary>Ends the job for all ranks because this one cannot go on: pending and later operations of every rank fail.</summary>
    void Abort(string reason);
}

/// <summary>A communication failed; the message names rank, operation, group and size.</summary>
public sealed class CollectiveException : Exception
{
    /// <inheritdoc/>
    public CollectiveException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public CollectiveException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public CollectiveException() { }
}
