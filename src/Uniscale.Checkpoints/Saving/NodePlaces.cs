using System.Runtime.InteropServices;
using System.Text;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// Which ranks share a host, and whom a rank tells what: the first of its host, and that one along a tree of hosts rank 0.
/// </summary>
internal sealed class NodePlaces
{
    /// <summary>Hosts that one host hears of: ten thousand are three hops away.</summary>
    private const int Branches = 24;

    private readonly IReadOnlyList<int> _nodeOf;
    private readonly int _rank;

    /// <param name="nodeOf">Host of each rank, numbered as they first appear.</param>
    /// <param name="rank">This rank.</param>
    public NodePlaces(IReadOnlyList<int> nodeOf, int rank)
    {
        (_nodeOf, _rank) = (nodeOf, rank);
        Node = nodeOf[rank];
        Members = [.. Enumerable.Range(0, nodeOf.Count).Where(other => nodeOf[other] == Node)];
        int[] firsts = new int[nodeOf.Max() + 1];
        for (int other = nodeOf.Count - 1; other >= 0; other--)
            firsts[nodeOf[other]] = other;
        Nodes = firsts.Length;
        var below = Enumerable.Range(Branches * Node + 1, Branches).Where(node => node < firsts.Length);
        FirstsBelow = IsFirst ? [.. below.Select(node => firsts[node])] : [];
        Below = IsFirst ? [.. Members.Skip(1), .. FirstsBelow] : [];
        Above = IsFirst ? firsts[Math.Max(0, (Node - 1) / Branches)] : Members[0];
    }

    /// <summary>Number of this rank's host.</summary>
    public int Node { get; }

    /// <summary>Ranks of all hosts.</summary>
    public int Ranks => _nodeOf.Count;

    /// <summary>Hosts.</summary>
    public int Nodes { get; }

    /// <summary>Ranks of this host, ascending.</summary>
    public IReadOnlyList<int> Members { get; }

    /// <summary>Whether this rank speaks for its host.</summary>
    public bool IsFirst => Members[0] == _rank;

    /// <summary>Whom this rank hears.</summary>
    public IReadOnlyList<int> Below { get; }

    /// <summary>Those of them that speak for other hosts.</summary>
    public IReadOnlyList<int> FirstsBelow { get; }

    /// <summary>The host of a rank.</summary>
    public int NodeOf(int rank) => _nodeOf[rank];

    /// <summary>Whom this rank tells; rank 0 tells nobody.</summary>
    public int Above { get; }

    /// <summary>Finds out who shares a host; collective.</summary>
    /// <param name="group">All ranks.</param>
    /// <param name="host">Name of this rank's host.</param>
    public static NodePlaces Find(IProcessGroup group, string host)
    {
        byte[] nodes = [];
        if (GroupExchange.Gather(group, Encoding.UTF8.GetBytes(host)) is { } told)
        {
            var numbers = new Dictionary<string, int>();
            int[] nodeOf = new int[told.Length];
            foreach (var (rank, bytes) in told.Index())
            {
                string name = Encoding.UTF8.GetString(bytes);
                if (!numbers.TryGetValue(name, out nodeOf[rank]))
                    numbers[name] = nodeOf[rank] = numbers.Count;
            }
            nodes = MemoryMarshal.AsBytes(nodeOf.AsSpan()).ToArray();
        }
        return new(MemoryMarshal.Cast<byte, int>(GroupExchange.Broadcast(group, nodes)).ToArray(), group.Rank);
    }
}
