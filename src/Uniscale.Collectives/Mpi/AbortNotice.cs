using System.Text;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>The word that a rank gives up, sent to all others beside their operations. Used by the communication thread.</summary>
internal sealed class AbortNotice
{
    private const int Tag = 7;
    private const int Bytes = 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly MpiCommunicator _control;
    private readonly nint _buffer = RawMemory.Allocate(Bytes);
    private readonly MpiRequest _receive;

    public AbortNotice(MpiCommunicator control)
    {
        _control = control;
        _receive = control.StartReceive(_buffer, Bytes, MpiElement.UInt8, MpiCommunicator.AnyRank, Tag);
    }

    /// <summary>What another rank said, or null.</summary>
    public string? Received() => _receive.Test() ? Encoding.UTF8.GetString(RawMemory.Span<byte>(_buffer, Bytes)).TrimEnd('\0') : null;

    /// <summary>Tells all others, as far as they still listen.</summary>
    public void Send(string reason)
    {
        nint message = RawMemory.Allocate(Bytes);
        var span = RawMemory.Span<byte>(message, Bytes);
        span.Clear();
        System.Text.Unicode.Utf8.FromUtf16(reason, span, out _, out _);
        var sends = Enumerable
            .Range(0, _control.Size)
            .Where(rank => rank != _control.Rank)
            .Select(rank => _control.StartSend(message, Bytes, MpiElement.UInt8, rank, Tag))
            .ToList();
        SpinWait.SpinUntil(() => sends.TrueForAll(send => send.Test()), Patience);
    }

    /// <summary>Stops listening.</summary>
    public void Withdraw()
    {
        _receive.Cancel();
        RawMemory.Free(_buffer);
    }
}
