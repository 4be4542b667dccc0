using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Uniscale.Collectives.Messages;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>
/// Messages over MPI, in pieces that fit into one receive that is always posted. Sends are handed to the communication thread, which alone
/// calls <see cref="Advance"/>.
/// </summary>
internal sealed class MpiMessages : IMessages
{
    private const int Tag = 8;
    private const int PieceBytes = 16 << 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly MpiCommunicator _control;
    private readonly Action _wake;
    private readonly Inbox _inbox = new();
    private readonly ConcurrentQueue<(int Peer, int Subject, byte[] Bytes)> _outbox = new();
    private readonly List<(MpiRequest Request, nint Memory)> _sends = [];
    private readonly Dictionary<int, MemoryStream> _begun = [];
    private readonly nint _buffer = RawMemory.Allocate(PieceBytes);
    private MpiRequest _receive;

    /// <param name="control">Communicator of all ranks that carries no operations.</param>
    /// <param name="wake">Wakes the communication thread.</param>
    public MpiMessages(MpiCommunicator control, Action wake)
    {
        (_control, _wake) = (control, wake);
        _receive = Listen();
    }

    /// <summary>Whether there is something to send.</summary>
    public bool IsSending => _sends.Count > 0 || !_outbox.IsEmpty;

    public void Send(int peer, int subject, ReadOnlySpan<byte> bytes)
    {
        if (peer == _control.Rank)
        {
            _inbox.Deliver(subject, new RankMessage(peer, bytes.ToArray()));
            return;
        }
        _outbox.Enqueue((peer, subject, bytes.ToArray()));
        _wake();
    }

    public RankMessage? Receive(int subject, TimeSpan patience, CancellationToken cancelled) =>
        _inbox.Take(subject, patience, cancelled);

    /// <summary>Starts what is to be sent and takes what has come.</summary>
    public void Advance()
    {
        while (_outbox.TryDequeue(out var message))
            Start(message.Peer, message.Subject, message.Bytes);
        for (int i = _sends.Count - 1; i >= 0; i--)
        {
            if (!_sends[i].Request.Test())
                continue;
            RawMemory.Free(_sends[i].Memory);
            _sends.RemoveAt(i);
        }
        while (_receive.Test())
        {
            Take(RawMemory.Span<byte>(_buffer, PieceBytes));
            _receive = Listen();
        }
    }

    /// <summary>Ends all waits, because nothing comes any more.</summary>
    public void Fail(string reason) => _inbox.Fail(reason);

    /// <summary>Sends what is left to those who still listen, and stops listening.</summary>
    public void Withdraw()
    {
        SpinWait.SpinUntil(
            () =>
            {
                Advance();
                return !IsSending;
            },
            Patience
        );
        _receive.Cancel();
        RawMemory.Free(_buffer);
    }

    private MpiRequest Listen() => _control.StartReceive(_buffer, PieceBytes, MpiElement.UInt8, MpiCommunicator.AnyRank, Tag);

    // Pieces of one sender arrive in order, and it begins no message before the last piece of the one before.
    private void Start(int peer, int subject, byte[] bytes)
    {
        int at = 0;
        do
        {
            int count = Math.Min(bytes.Length - at, PieceBytes - Piece.SizeBytes);
            nint memory = RawMemory.Allocate(Piece.SizeBytes + count);
            var piece = RawMemory.Span<byte>(memory, Piece.SizeBytes + count);
            MemoryMarshal.Write(piece, new Piece(_control.Rank, subject, count, bytes.Length - at - count));
            bytes.AsSpan(at, count).CopyTo(piece[Piece.SizeBytes..]);
            _sends.Add((_control.StartSend(memory, piece.Length, MpiElement.UInt8, peer, Tag), memory));
            at += count;
        } while (at < bytes.Length);
    }

    private void Take(ReadOnlySpan<byte> bytes)
    {
        var piece = MemoryMarshal.Read<Piece>(bytes);
        if (!_begun.TryGetValue(piece.From, out var message))
            _begun[piece.From] = message = new MemoryStream();
        message.Write(bytes.Slice(Piece.SizeBytes, piece.Count));
        if (piece.Rest > 0)
            return;
        _inbox.Deliver(piece.Subject, new RankMessage(piece.From, message.ToArray()));
        _begun.Remove(piece.From);
    }

    /// <summary>What stands before the bytes of a piece.</summary>
    /// <param name="From">The sender.</param>
    /// <param name="Subject">Subject of its message.</param>
    /// <param name="Count">Bytes of this piece.</param>
    /// <param name="Rest">Bytes of the message that follow in others.</param>
    private readonly record struct Piece(int From, int Subject, int Count, int Rest)
    {
        public const int SizeBytes = 16;
    }
}
