using Uniscale.Collectives.Messages;

namespace Uniscale.Collectives.InProcess;

/// <summary>Messages between ranks of one process: they lie in the receiver's inbox as soon as they are sent.</summary>
internal sealed class InProcessMessages(Inbox[] inboxes, int rank) : IMessages
{
    public void Send(int peer, int subject, ReadOnlySpan<byte> bytes) =>
        inboxes[peer].Deliver(subject, new RankMessage(rank, bytes.ToArray()));

    public RankMessage? Receive(int subject, TimeSpan patience, CancellationToken cancelled) =>
        inboxes[rank].Take(subject, patience, cancelled);
}
