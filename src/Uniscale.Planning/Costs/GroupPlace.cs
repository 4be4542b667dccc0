namespace Uniscale.Planning.Costs;

/// <summary>Where the members of a group lie: what a collective's time depends on besides its size.</summary>
/// <param name="Members">Ranks.</param>
/// <param name="Nodes">Machines that hold them.</param>
/// <param name="PerNode">Fewest members of a machine that holds any.</param>
/// <param name="Pods">Pods that hold them.</param>
public readonly record struct GroupPlace(int Members, int Nodes, int PerNode, int Pods)
{
    /// <summary>Place of a group.</summary>
    /// <param name="ranks">World ranks.</param>
    /// <param name="nodeSize">Ranks of a machine; neighbours in the world's order share one.</param>
    /// <param name="podSize">Ranks of a pod; <see cref="int.MaxValue"/>: one pod.</param>
    public static GroupPlace Of(IReadOnlyList<int> ranks, int nodeSize, int podSize)
    {
        if (ranks.Count <= 1)
            return new GroupPlace(ranks.Count, 1, 1, 1);
        var nodes = new Dictionary<int, int>();
        var pods = new HashSet<int>();
        foreach (int rank in ranks)
        {
            nodes[rank / nodeSize] = nodes.GetValueOrDefault(rank / nodeSize) + 1;
            pods.Add(rank / podSize);
        }
        return new GroupPlace(ranks.Count, nodes.Count, nodes.Values.Min(), pods.Count);
    }
}
