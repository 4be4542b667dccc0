using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.Nccl.Ordering;

/// <summary>
/// What the members of one operation tell each other, on the group's control group: first that all have posted it, which may take as long
/// as the program wants; then their stamps, which nothing holds up, since communication threads answer for themselves.
/// </summary>
internal sealed class Agreement(IOrderedOperation operation, StampClock clock) : IDisposable
{
    private const int WordCount = 3;

    private readonly nint _words = RawMemory.Allocate(WordCount * sizeof(long));
    private IEnumerator<IWork>? _steps;
    private IWork? _waitingFor;

    public IOrderedOperation Operation { get; } = operation;

    /// <summary>The place in the order; while <see cref="IsPending"/>, no more than it.</summary>
    public long Stamp { get; private set; }

    /// <summary>This rank has given a stamp and does not know the greatest yet.</summary>
    public bool IsPending { get; private set; }

    /// <summary>The place is known.</summary>
    public bool IsFixed { get; private set; }

    /// <summary>Nothing is left to tell.</summary>
    public bool IsOver { get; private set; }

    private IProcessGroup Control => Operation.Control;

    private Span<long> Words => RawMemory.Span<long>(_words, WordCount);

    /// <summary>
    /// Goes as far as it can; true if it moved. Throws <see cref="CollectiveException"/> where members disagree or the job has failed.
    /// </summary>
    public bool Advance()
    {
        bool moved = false;
        _steps ??= Steps().GetEnumerator();
        while (!IsOver && (_waitingFor is null || _waitingFor.IsCompleted))
        {
            moved = true;
            _waitingFor?.Wait();
            if (_steps.MoveNext())
                _waitingFor = _steps.Current;
            else
                IsOver = true;
        }
        return moved;
    }

    public void Dispose()
    {
        _steps?.Dispose();
        RawMemory.Free(_words);
    }

    private IEnumerable<IWork> Steps() =>
        Operation.Signature.Kind switch
        {
            OperationKind.Send => Sending(),
            OperationKind.Receive => Receiving(),
            _ => Meeting(),
        };

    private IEnumerable<IWork> Meeting()
    {
        yield return Control.Barrier();
        Propose();
        long print = Fingerprint();
        (Words[1], Words[2]) = (print, ~print);
        yield return Control.AllReduce(Buffer(WordCount), ReduceOp.Max);
        if (Words[1] != ~Words[2])
            throw new CollectiveException(
                $"ranks disagree at operation {Operation.Sequence} of group {Operation.GroupName}: rank {OwnRank} posted "
                    + $"{Operation.Signature}, another rank something else"
            );
        Fix(Words[0]);
    }

    private IEnumerable<IWork> Sending()
    {
        Words[0] = Fingerprint();
        yield return Control.Send(Buffer(1), Peer, Tag(0));
        yield return Control.Receive(Buffer(1), Peer, Tag(1));
        clock.Observe(Words[0]);
        Fix(clock.Next());
        yield return Control.Send(Buffer(1), Peer, Tag(2));
    }

    private IEnumerable<IWork> Receiving()
    {
        yield return Control.Receive(Buffer(1), Peer, Tag(0));
        if (Words[0] != Fingerprint())
            throw new CollectiveException(
                $"the two sides of a message in group {Operation.GroupName} differ: rank {OwnRank} posted a {Operation.Signature}, "
                    + $"rank {Control.WorldRanks[Peer]} a send of another size"
            );
        Propose();
        yield return Control.Send(Buffer(1), Peer, Tag(1));
        yield return Control.Receive(Buffer(1), Peer, Tag(2));
        Fix(Words[0]);
    }

    private void Propose()
    {
        Stamp = Words[0] = clock.Next();
        IsPending = true;
    }

    private void Fix(long stamp)
    {
        clock.Observe(stamp);
        Stamp = Words[0] = stamp;
        (IsPending, IsFixed) = (false, true);
    }

    /// <summary>Equal for parts of one operation, and hardly ever for others.</summary>
    private long Fingerprint()
    {
        var signature = Operation.Signature;
        long print = signature.IsMessage ? 0 : 1 + (long)signature.Kind * 64 + (long)signature.Op * 16 + ((long)signature.Peer + 1) * 4096;
        return (print * 31 + (long)signature.Type) * 1_000_003 + signature.Count;
    }

    private int Peer => Operation.Signature.Peer;

    private int OwnRank => Control.WorldRanks[Control.Rank];

    /// <summary>Every word of a message has a tag of its own.</summary>
    private int Tag(int word) => WordCount * Operation.Signature.Tag + word;

    private CommBuffer Buffer(int count) => new(_words, count, ElementType.Int64);
}
