using Uniscale.Collectives.Journal;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>Ranks that communicate through one MPI communicator.</summary>
internal sealed class MpiGroup(
    MpiCommunicator communicator,
    string name,
    IReadOnlyList<int> worldRanks,
    MpiCommunicationThread thread,
    CollectiveJournal journal
) : ProcessGroup(name, communicator.Rank, worldRanks)
{
    /// <summary>Tags below belong to the algorithms of the collectives.</summary>
    private const int FirstUserTag = 16;

    private readonly Lock _gate = new();
    private long _nextSequence;
    private long _nextMessage;

    /// <summary>Collectives that wait for their turn; belongs to the communication thread.</summary>
    public Queue<MpiOperation> Waiting { get; } = new();

    /// <summary>The collective whose turn it is; belongs to the communication thread.</summary>
    public MpiOperation? Current { get; set; }

    protected override IWork Post(in OperationSignature signature, CommBuffer input, CommBuffer output)
    {
        var steps = Steps(signature, input, output);
        lock (_gate)
        {
            var operation = new MpiOperation(this, signature, signature.IsMessage ? _nextMessage++ : _nextSequence++, steps, journal);
            thread.Post(operation);
            return operation;
        }
    }

    public override void Dispose()
    {
        // Freeing a communicator is a collective that would need all members at once; MPI frees it at the end of the job.
    }

    private IEnumerable<MpiRequest> Steps(in OperationSignature signature, CommBuffer input, CommBuffer output)
    {
        var type = MpiAlgorithms.Element(signature.Type);
        var (peer, tag) = (signature.Peer, signature.Tag + FirstUserTag);
        return signature.Kind switch
        {
            OperationKind.AllReduce => MpiAlgorithms.AllReduce(communicator, input, signature.Op),
            OperationKind.ReduceScatter => MpiAlgorithms.ReduceScatter(communicator, input, output, signature.Op),
            OperationKind.AllGather => One(() => communicator.StartAllGather(input.Address, output.Address, input.Count, type)),
            OperationKind.AllToAll => One(() => communicator.StartAllToAll(input.Address, output.Address, input.Count / Size, type)),
            OperationKind.Broadcast => One(() => communicator.StartBroadcast(input.Address, input.Count, type, peer)),
            OperationKind.Send => One(() => communicator.StartSend(input.Address, input.Count, type, peer, tag)),
            OperationKind.Receive => One(() => communicator.StartReceive(input.Address, input.Count, type, peer, tag)),
            _ => One(communicator.StartBarrier),
        };
    }

    private static IEnumerable<MpiRequest> One(Func<MpiRequest> start)
    {
        yield return start();
    }
}
