using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Messages;
using Uniscale.Collectives.Nccl.Ordering;

namespace Uniscale.Collectives.Nccl;

/// <summary>
/// A world whose ranks compute on devices. It stands on another world of the same ranks, in one process or over MPI, which spreads NCCL's
/// name for
/// the clique, carries what ranks agree on, and moves host memory.
/// </summary>
public sealed class NcclWorld : IWorld
{
    private readonly IWorld _control;
    private readonly DeviceQueue _device;
    private readonly NcclCommunicationThread _thread;
    private readonly NcclCommunicator? _making;
    private bool _disposed;

    private NcclWorld(IWorld control, NcclDevice device, ILaunchOrder<NcclOperation> order)
    {
        _control = control;
        _device = new DeviceQueue(device);
        Staging = new DeviceStaging(_device);
        _thread = new NcclCommunicationThread(control, _device, order);
        try
        {
            if (Size > 1)
                _making = Join();
            Group = CreateGroup([.. Enumerable.Range(0, Size)], "world", "world")!;
        }
        catch (Exception failure)
        {
            Abort(failure.Message);
            throw;
        }
    }

    /// <inheritdoc/>
    public int Rank => _control.Rank;

    /// <inheritdoc/>
    public int Size => _control.Size;

    /// <inheritdoc/>
    public IProcessGroup Group { get; }

    /// <inheritdoc/>
    public IProcessGroup HostGroup => _control.HostGroup;

    /// <inheritdoc/>
    public DeviceStaging Staging { get; }

    /// <inheritdoc/>
    public IMessages Messages => _control.Messages;

    /// <inheritdoc/>
    public CollectiveJournal Journal { get; } = new();

    /// <inheritdoc/>
    public string? Failure => _thread.Failure;

    /// <summary>
    /// Joins with one rank's device; all ranks of the control world do, at the same time. The world owns the control world from then on.
    /// </summary>
    /// <exception cref="NcclException">A library or a device is missing or does not fit.</exception>
    public static NcclWorld Join(IWorld control, NcclDevice device) => Join(control, device, new AgreedOrder<NcclOperation>(control.Rank));

    /// <summary>Joins with another order of launches, for tests.</summary>
    internal static NcclWorld Join(IWorld control, NcclDevice device, ILaunchOrder<NcclOperation> order)
    {
        try
        {
            return new NcclWorld(control, device, order);
        }
        catch (NcclException failure)
        {
            // The others would wait for this rank.
            control.Abort(failure.Message);
            throw;
        }
        catch (CollectiveException failure)
        {
            throw new NcclException(control.Failure ?? failure.Message, failure);
        }
    }

    /// <inheritdoc/>
    public IProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name)
    {
        GroupRules.Check(worldRanks, Size, name);
        string fullName = ProcessGroup.NameOf(name, worldRanks);
        try
        {
            return CreateGroup(worldRanks, name, fullName);
        }
        catch (NcclException failure)
        {
            throw new CollectiveException($"rank {Rank}: making group {fullName} failed: {failure.Message}", failure);
        }
    }

    /// <inheritdoc/>
    public void Abort(string reason)
    {
        _control.Abort(reason);
        _thread.Abort();
    }

    /// <summary>Leaves once all ranks do. After a failure nothing is left in order: the process ends.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        // Where another rank fails while this one waits for it, the reason is that rank's to tell.
        if (Failure is null)
            Group.Barrier().WaitRegardless();
        _thread.Stop();
        if (Failure is null)
        {
            Staging.Dispose();
            _device.Dispose();
        }
        Journal.Dispose();
        _control.Dispose();
    }

    private NcclCommunicator Join()
    {
        // The id is made on every rank, so that one without the library says so; the first's is the one that counts.
        byte[] id = NcclCommunicator.NewId();
        nint memory = RawMemory.Allocate(id.Length);
        try
        {
            id.CopyTo(RawMemory.Span<byte>(memory, id.Length));
            _control.HostGroup.Broadcast(new CommBuffer(memory, id.Length, ElementType.UInt8), root: 0).Wait();
            RawMemory.Span<byte>(memory, id.Length).CopyTo(id);
        }
        finally
        {
            RawMemory.Free(memory);
        }
        return _thread.Make(() =>
        {
            var made = NcclCommunicator.Join(id, Size, Rank, "the clique of all ranks, each of which needs a device of its own");
            return () => (made.IsReady(), made);
        })!;
    }

    private ProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name, string fullName)
    {
        int[] members = [.. worldRanks];
        int member = Array.IndexOf(members, Rank);
        if (members.Length == 1)
            return member < 0 ? null : new AloneGroup(fullName, Rank, _device, Journal);
        var control = _control.CreateGroup(members, name);
        var communicator = _thread.Make(() =>
        {
            var split = _making!.BeginSplit(member < 0 ? null : 0, member, fullName);
            return () => (split.IsDone(out var made), made);
        });
        return communicator is null ? null : new NcclGroup(fullName, communicator, control!, _thread, _device, Journal);
    }
}
