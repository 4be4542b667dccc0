namespace Uniscale.Collectives;

/// <summary>What holds for the members of any group.</summary>
internal static class GroupRules
{
    /// <summary>Refuses empty groups, members that do not exist and members named twice.</summary>
    public static void Check(IReadOnlyList<int> worldRanks, int worldSize, string name)
    {
        if (worldRanks.Count == 0)
            throw new ArgumentException($"group {name} has no members");
        foreach (int rank in worldRanks)
            if ((uint)rank >= (uint)worldSize)
                throw new ArgumentException($"group {name}: there is no rank {rank} in a world of {worldSize}");
        if (worldRanks.Distinct().Count() != worldRanks.Count)
            throw new ArgumentException($"group {name} names a rank twice");
    }
}
