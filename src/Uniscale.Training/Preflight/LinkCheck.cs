using System.Diagnostics;
using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Training.Preflight;

/// <summary>
/// Messages both ways between pairs of hosts, over the group that training communicates by. Hosts meet in the rounds of a tournament, each
/// one other host a round: a slow
/// host is slow with all that it meets, a good one only with those that are slow.
/// </summary>
internal static class LinkCheck
{
    private const int Bytes = 4 << 20,
        Repeats = 3,
        MostRounds = 4,
        Tag = 2424;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Exchanges with other hosts. Ranks that speak for no host return at once.</summary>
    /// <param name="world">All ranks.</param>
    /// <param name="link">Where the tensors of this one lie.</param>
    /// <param name="hosts">Host of every rank.</param>
    /// <returns>Bytes a second with the best of them, each way, 0 where nothing was exchanged; and what was wrong in words.</returns>
    /// <exception cref="CollectiveException">A host sends nothing.</exception>
    public static (double Rate, string Wrong) Run(IWorld world, HostLink link, IReadOnlyList<string> hosts)
    {
        int[] speakers = [.. hosts.Select((host, rank) => (host, rank)).DistinctBy(place => place.host).Select(place => place.rank)];
        int own = Array.IndexOf(speakers, world.Rank);
        if (own < 0 || speakers.Length < 2)
            return (0, "");
        double best = 0;
        string wrong = "";
        foreach (int other in Opponents(own, speakers.Length).Take(MostRounds))
        {
            if (other < 0)
                continue;
            var (rate, isRight) = Exchange(world, link, speakers[other], hosts[speakers[other]]);
            best = Math.Max(best, rate);
            if (!isRight)
                wrong = $"receives from {hosts[speakers[other]]} other bytes than were sent";
        }
        return (best, wrong);
    }

    /// <summary>
    /// Whom a player meets, round by round, by the circle method: the last one stands still and the others move on around it. −1: nobody,
    /// where their number is odd.
    /// </summary>
    internal static IEnumerable<int> Opponents(int player, int players)
    {
        int still = players - 1 + players % 2;
        for (int round = 0; round < still; round++)
        {
            int opponent =
                player == still ? round
                : player == round ? still
                : (2 * round - player + still) % still;
            yield return opponent < players ? opponent : -1;
        }
    }

    private static (double Rate, bool IsRight) Exchange(IWorld world, HostLink link, int peer, string host)
    {
        using var noGrad = no_grad();
        // Not freed where the exchange fails: what was posted may still write there while the process ends.
        Tensor outgoing = Pattern(link, world.Rank),
            incoming = TensorMemory.EmptyLike(outgoing);
        using var patience = new Timer(
            _ =>
                world.Abort(
                    $"the preflight has waited {Patience.TotalSeconds:0} s for {Bytes >> 20} MiB from {host}: the link between the hosts carries nothing"
                ),
            null,
            Patience,
            Timeout.InfiniteTimeSpan
        );
        double fastest = double.PositiveInfinity;
        // The first waits for the other to come.
        for (int i = 0; i <= Repeats; i++)
        {
            long start = Stopwatch.GetTimestamp();
            var received = world.Group.Receive(TensorBuffer.Of(incoming), peer, Tag);
            world.Group.Send(TensorBuffer.Of(outgoing), peer, Tag).Wait();
            received.Wait();
            link.Await();
            if (i > 0)
                fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        using var expected = Pattern(link, peer);
        bool isRight = link.Read<byte>(incoming).AsSpan().SequenceEqual(link.Read<byte>(expected));
        outgoing.Dispose();
        incoming.Dispose();
        return (Bytes / fastest, isRight);
    }

    /// <summary>Bytes that tell their sender.</summary>
    private static Tensor Pattern(HostLink link, int rank)
    {
        byte[] bytes = new byte[Bytes];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(i + (i >> 8) * 31 + rank * 101);
        using var host = tensor(bytes, [Bytes]);
        return link.Upload(host);
    }
}
