using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.Nccl;

/// <summary>A group of one: its operations are copies in the order of the compute stream, without NCCL and without waiting.</summary>
internal sealed class AloneGroup(string name, int worldRank, DeviceQueue device, CollectiveJournal journal)
    : ProcessGroup(name, 0, [worldRank])
{
    private readonly Lock _gate = new();
    private readonly Dictionary<int, Queue<Side>> _sides = [];
    private long _nextSequence;
    private long _nextMessage;

    protected override IWork Post(in OperationSignature signature, CommBuffer input, CommBuffer output)
    {
        lock (_gate)
        {
            var work = new Work(journal, journal.Post(Name, signature.IsMessage ? _nextMessage++ : _nextSequence++, signature));
            if (signature.IsMessage)
                Meet(new Side(work, signature, input));
            else
                Copy(work, input, output);
            return work;
        }
    }

    public override void Dispose()
    {
        // There is nothing to leave.
    }

    private void Copy(Work work, CommBuffer input, CommBuffer output)
    {
        device.CopyInCompute(input.Address, output.Address, input.Count * input.Type.SizeBytes());
        work.End();
    }

    private void Meet(Side side)
    {
        if (!_sides.TryGetValue(side.Signature.Tag, out var waiting))
            _sides[side.Signature.Tag] = waiting = new();
        if (!waiting.TryPeek(out var other) || other.Signature.Kind == side.Signature.Kind)
        {
            waiting.Enqueue(side);
            return;
        }
        waiting.Dequeue();
        var (send, receive) = side.Signature.Kind == OperationKind.Send ? (side, other) : (other, side);
        if (send.Buffer.Count != receive.Buffer.Count || send.Buffer.Type != receive.Buffer.Type)
            throw new CollectiveException($"the two sides of a message in group {Name} differ: {send.Signature}, {receive.Signature}");
        Copy(send.Work, send.Buffer, receive.Buffer);
        receive.Work.End();
    }

    private sealed record Side(Work Work, OperationSignature Signature, CommBuffer Buffer);

    private sealed class Work(CollectiveJournal journal, long number) : IWork
    {
        private readonly EndSignal _end = new();

        public bool IsCompleted => _end.IsSet;

        public void Wait() => _end.Wait();

        public void End()
        {
            journal.Mark(number, OperationState.Completed);
            _end.Set();
        }
    }
}
