namespace Uniscale.Collectives.Messages;

/// <summary>A small message of another rank.</summary>
/// <param name="From">World rank of the sender.</param>
/// <param name="Bytes">What it says.</param>
public sealed record RankMessage(int From, byte[] Bytes);

/// <summary>
/// Small messages between ranks beside their operations: any thread sends and takes them, in no order with collectives, and the journal
/// does not have them. So what runs beside training can meet without holding it up. Messages of one rank about one subject arrive in order.
/// </summary>
public interface IMessages
{
    /// <summary>Sends and returns at once.</summary>
    /// <param name="peer">World rank of the receiver.</param>
    /// <param name="subject">Number that sender and receiver agree on.</param>
    /// <param name="bytes">What is said.</param>
    void Send(int peer, int subject, ReadOnlySpan<byte> bytes);

    /// <summary>Takes the oldest message about a subject; waits for one.</summary>
    /// <param name="subject">The subject.</param>
    /// <param name="patience">How long it waits.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Null: none came in time, or the wait was cancelled.</returns>
    /// <exception cref="CollectiveException">The job has failed and there is no message left.</exception>
    RankMessage? Receive(int subject, TimeSpan patience, CancellationToken cancelled = default);
}
