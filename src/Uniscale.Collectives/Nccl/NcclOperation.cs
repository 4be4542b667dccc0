using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Nccl.Ordering;

namespace Uniscale.Collectives.Nccl;

/// <summary>
/// An operation on its way: posted behind what the compute stream had to do, launched by the communication thread, complete when the device
/// is
/// through with it.
/// </summary>
internal sealed class NcclOperation : IWork, IOrderedOperation
{
    private readonly Lock _gate = new();
    private readonly DeviceQueue _device;
    private readonly CollectiveJournal _journal;
    private readonly long _number;
    private readonly EndSignal _launched = new();
    private readonly EndSignal _end = new();
    private nint _ready;
    private nint _done;
    private volatile string? _failure;

    public NcclOperation(
        NcclGroup group,
        OperationSignature signature,
        long sequence,
        CommBuffer input,
        CommBuffer output,
        DeviceQueue device,
        CollectiveJournal journal
    )
    {
        (Group, Signature, Sequence, Input, Output, _device, _journal) = (group, signature, sequence, input, output, device, journal);
        _number = journal.Post(group.Name, sequence, signature);
        _ready = device.RecordCompute();
    }

    public NcclGroup Group { get; }

    public IProcessGroup Control => Group.Control;

    public string GroupName => Group.Name;

    public OperationSignature Signature { get; }

    public long Sequence { get; }

    public CommBuffer Input { get; }

    public CommBuffer Output { get; }

    public bool IsCompleted => _end.IsSet;

    /// <summary>
    /// Holds the thread until the operation is launched, and the compute stream until it is complete; a rank that computes on the host is
    /// held until then itself.
    /// </summary>
    public void Wait()
    {
        _launched.Wait();
        lock (_gate)
            if (_done != 0)
                _device.OrderCompute(after: _done);
        if (_device.Device.ComputesOnHost)
            _end.Wait();
        if (_failure is { } failure)
            throw new CollectiveException($"rank {Group.WorldRanks[Group.Rank]}: {this}, failed: {failure}");
    }

    public void WaitRegardless() => _end.Wait();

    /// <summary>Makes the group's stream wait for what the operation needs. Called before it is launched.</summary>
    public void OrderBehindCompute()
    {
        _device.Order(Group.Stream, after: _ready);
        _device.Return(_ready);
        _ready = 0;
    }

    /// <summary>The launch is through.</summary>
    public void Launched()
    {
        _journal.Mark(_number, OperationState.Started);
        lock (_gate)
            _done = _device.Record(Group.Stream);
        _launched.Set();
    }

    /// <summary>Ends the operation if the device is through with it.</summary>
    public bool TryComplete()
    {
        if (!_device.IsComplete(_done))
            return false;
        End(OperationState.Completed);
        return true;
    }

    /// <summary>It will have no result, whatever its event says from now on; one that is complete stays so.</summary>
    public void Doom(string reason)
    {
        if (!_end.IsSet)
            _failure = reason;
    }

    /// <summary>Ends a doomed operation; the device no longer touches its memory.</summary>
    public void Fail()
    {
        if (!_end.IsSet)
            End(OperationState.Failed);
    }

    public override string ToString() => $"{Signature}, operation {Sequence} of group {GroupName}";

    private void End(OperationState state)
    {
        lock (_gate)
        {
            if (_ready != 0)
                _device.Return(_ready);
            if (_done != 0)
                _device.Return(_done);
            _ready = _done = 0;
        }
        _journal.Mark(_number, state);
        _launched.Set();
        _end.Set();
    }
}
