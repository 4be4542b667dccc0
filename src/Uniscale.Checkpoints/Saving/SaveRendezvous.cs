using System.Diagnostics;
using System.Text;
using Uniscale.Collectives.Messages;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// How the writing threads of the ranks meet: by messages along the tree of <see cref="NodePlaces"/>, never by collectives, which belong
/// to training. Each rank speaks once, when all below it have spoken, and hears once how it ended. That is all that they agree on:
/// what is durable is what the file system says.
/// </summary>
/// <param name="messages">Carries what is said.</param>
/// <param name="places">The tree.</param>
/// <param name="attempt">What it is about, so that what was said too late about an earlier one is passed over.</param>
/// <param name="timeout">How long a rank waits for others.</param>
/// <param name="cancelled">Ends the waits.</param>
internal sealed class SaveRendezvous(IMessages messages, NodePlaces places, string attempt, TimeSpan timeout, CancellationToken cancelled)
{
    /// <summary>Waits for all below; says for all of them whether they are durable.</summary>
    /// <param name="rank">This rank.</param>
    /// <param name="failure">Why it is not durable; empty: it is.</param>
    /// <param name="tableDigest">Digest of its digests.</param>
    public Arrival Collect(int rank, string failure, string tableDigest)
    {
        var digests = new Dictionary<int, string> { [rank] = tableDigest };
        var missing = places.Below.ToHashSet();
        long start = Stopwatch.GetTimestamp();
        while (missing.Count > 0)
        {
            if (messages.Receive((int)Subject.Arrival, timeout - Stopwatch.GetElapsedTime(start), cancelled) is not { } message)
            {
                if (failure.Length == 0)
                    failure = Waited($"rank {missing.Min()} to be durable");
                break;
            }
            // Who gave an earlier save up may hear of it later.
            var arrival = Arrival.Read(message.Bytes);
            if (arrival.Attempt != attempt || !missing.Remove(message.From))
                continue;
            if (failure.Length == 0)
                failure = arrival.Failure;
            foreach (var (other, digest) in arrival.TableDigests)
                digests[other] = digest;
        }
        return new Arrival(attempt, failure, digests);
    }

    /// <summary>Says it to the rank above.</summary>
    public void Tell(Arrival arrival) => messages.Send(places.Above, (int)Subject.Arrival, arrival.ToBytes());

    /// <summary>Waits for the end of the save.</summary>
    /// <returns>Why it failed; empty: the checkpoint is committed.</returns>
    public string AwaitVerdict()
    {
        long start = Stopwatch.GetTimestamp();
        while (messages.Receive((int)Subject.Verdict, timeout - Stopwatch.GetElapsedTime(start), cancelled) is { } message)
            if (Encoding.UTF8.GetString(message.Bytes).Split('\n', 2) is [var save, var verdict] && save == attempt)
                return verdict;
        return Waited("rank 0 to commit");
    }

    /// <summary>Says to all below how the save ended.</summary>
    public void Pronounce(string verdict)
    {
        foreach (int rank in places.Below)
            messages.Send(rank, (int)Subject.Verdict, Encoding.UTF8.GetBytes($"{attempt}\n{verdict}"));
    }

    private string Waited(string what) =>
        cancelled.IsCancellationRequested
            ? $"the run ended while the save waited for {what}"
            : $"waited {timeout.TotalSeconds:0} s for {what}, in vain";
}
