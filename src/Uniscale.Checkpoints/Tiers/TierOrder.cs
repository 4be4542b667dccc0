using System.Text.Json;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>What rank 0 asks of all hosts: that each copies its files of a checkpoint to a tier.</summary>
/// <param name="Id">Names the order in the reports about it.</param>
/// <param name="Tier">The tier, by its place among the options'.</param>
/// <param name="Folder">The checkpoint; empty: there is nothing more to copy.</param>
/// <param name="Target">Where its files lie in the tier.</param>
/// <param name="Files">Names of its data files, in the order of the manifest.</param>
internal sealed record TierOrder(string Id, int Tier, string Folder, string Target, IReadOnlyList<string> Files)
{
    /// <summary>Ends the hosts' service.</summary>
    public static TierOrder End { get; } = new("", 0, "", "", []);

    public bool IsEnd => Folder.Length == 0;

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this);

    public static TierOrder Read(byte[] bytes) => JsonSerializer.Deserialize<TierOrder>(bytes)!;
}
