using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.Nccl;

/// <summary>Ranks that communicate through one NCCL communicator, on a stream of the group's own.</summary>
internal sealed class NcclGroup(
    string name,
    NcclCommunicator communicator,
    IProcessGroup control,
    NcclCommunicationThread thread,
    DeviceQueue device,
    CollectiveJournal journal
) : ProcessGroup(name, control.Rank, control.WorldRanks)
{
    private readonly Lock _gate = new();
    private long _nextSequence;
    private long _nextMessage;

    public NcclCommunicator Communicator { get; } = communicator;

    /// <summary>The same ranks on the control world, on which they agree what is launched when.</summary>
    public IProcessGroup Control { get; } = control;

    /// <summary>Where the group's operations run, in the order of their launches.</summary>
    public nint Stream { get; } = device.CreateStream();

    protected override IWork Post(in OperationSignature signature, CommBuffer input, CommBuffer output)
    {
        if (signature.Kind == OperationKind.Barrier)
            input = output = new CommBuffer(device.Mark, 1, ElementType.UInt8);
        lock (_gate)
        {
            var operation = new NcclOperation(
                this,
                signature,
                signature.IsMessage ? _nextMessage++ : _nextSequence++,
                input,
                output,
                device,
                journal
            );
            thread.Post(operation);
            return operation;
        }
    }

    public override void Dispose()
    {
        // Leaving a communicator is a collective that would need all members at once; the world leaves them all at its end.
    }
}
