using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Costs;

/// <summary>A collective, by what it moves.</summary>
public enum Collective
{
    /// <summary>Every rank ends with the sum: 2(n − 1)/n of the bytes pass each link.</summary>
    AllReduce,

    /// <summary>Every rank ends with its part of the sum: (n − 1)/n.</summary>
    ReduceScatter,

    /// <summary>Every rank ends with the parts of all: (n − 1)/n.</summary>
    AllGather,
}

/// <summary>
/// Seconds of communication: latency · steps + f · bytes / bandwidth, with f of nccl-tests (doc/PERFORMANCE.md). Inside a machine the
/// bandwidth is that of its links.
/// Across machines each ring crosses a machine's border once in each direction, and a group has as many rings as it has members in a
/// machine: its bandwidth is
/// theirs together, at most that of the links. Across pods it is divided by the oversubscription.
/// </summary>
public sealed class LinkTimes
{
    private readonly Cluster _cluster;
    private readonly ConstantsSection _constants;

    private readonly bool _inTurn;

    /// <summary>Times on a cluster, at the shares of bandwidth that a stack reaches.</summary>
    /// <param name="cluster">The hardware.</param>
    /// <param name="constants">The shares.</param>
    /// <param name="inTurn">See <see cref="StackSection.ShardsInTurn"/>.</param>
    public LinkTimes(Cluster cluster, ConstantsSection constants, bool inTurn = false)
    {
        (_cluster, _constants, _inTurn) = (cluster, constants, inTurn);
        NodeSize = (int)cluster.Needed(cluster.NodeGpus, "node.gpus");
        PodSize = cluster.PodGpus is { } pod ? (int)pod : int.MaxValue;
    }

    /// <summary>Ranks of a machine.</summary>
    public int NodeSize { get; }

    /// <summary>Ranks of a pod.</summary>
    public int PodSize { get; }

    /// <summary>Where a group lies.</summary>
    public GroupPlace PlaceOf(IReadOnlyList<int> ranks) => GroupPlace.Of(ranks, NodeSize, PodSize);

    /// <summary>Seconds of a collective over a group.</summary>
    /// <param name="kind">What it does.</param>
    /// <param name="bytes">Bytes of the whole tensor: what each rank gives to a sum, or has after a gathering.</param>
    /// <param name="place">The group.</param>
    public double Of(Collective kind, double bytes, GroupPlace place)
    {
        if (place.Members <= 1 || bytes <= 0)
            return 0;
        double rounds = kind == Collective.AllReduce ? 2 : 1;
        double share = (place.Members - 1.0) / place.Members;
        return rounds * (share * bytes / BandwidthOf(place) + LatencyOf(kind, place));
    }

    /// <summary>Seconds of a tensor from one rank to another.</summary>
    /// <param name="bytes">Bytes.</param>
    /// <param name="from">World rank.</param>
    /// <param name="to">World rank.</param>
    public double Send(double bytes, int from, int to) => Send(bytes, PlaceOf([from, to]));

    /// <summary>Seconds of a tensor between two ranks that lie so.</summary>
    public double Send(double bytes, GroupPlace pair) => bytes / BandwidthOf(pair) + (pair.Nodes > 1 ? FabricLatency : LinkLatency);

    private double Link => _cluster.Needed(_cluster.LinkBandwidth, "node.link_bandwidth") * _constants.NodeLink;

    private double LinkLatency => _cluster.LinkLatency ?? 0;

    private double FabricLatency => _constants.HopLatency > 0 ? _constants.HopLatency : _cluster.FabricLatency ?? 0;

    private double BandwidthOf(GroupPlace place)
    {
        if (place.Nodes == 1)
            return Link;
        double network =
            _cluster.Needed(_cluster.NicBandwidthOfGpu, "node.nics or node.nic_bandwidth") * _constants.FabricLink * place.PerNode;
        if (place.Pods > 1)
            network /= _cluster.Needed(_cluster.Oversubscription, "fabric.oversubscription");
        return Math.Min(network, Link);
    }

    /// <summary>
    /// A ring goes through all members, an operation of each owner in turn crosses machines once a member; an all-reduce takes a tree
    /// between machines, whose steps grow with the logarithm.
    /// </summary>
    private double LatencyOf(Collective kind, GroupPlace place)
    {
        if (kind == Collective.AllReduce)
            return LinkLatency * Math.Max(0, place.Members / place.Nodes - 1) + FabricLatency * Math.Ceiling(Math.Log2(place.Nodes));
        if (_inTurn && place.Nodes > 1)
            return FabricLatency * (place.Members - 1);
        return LinkLatency * (place.Members - place.Nodes) + FabricLatency * (place.Nodes - 1);
    }
}
