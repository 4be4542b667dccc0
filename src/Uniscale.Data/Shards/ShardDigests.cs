using System.IO.Hashing;

namespace Uniscale.Data;

/// <summary>What a shard was when it was made: XXH128 of both files, and the fingerprint by which runs know it.</summary>
/// <param name="Bin">Of every byte of the .bin.</param>
/// <param name="Index">Of every byte of the .idx.</param>
/// <param name="Fingerprint"><see cref="TokenShard.Fingerprint"/>.</param>
/// <param name="Marks">Of every byte of the .marks; null where there are none.</param>
public sealed record ShardDigests(string Bin, string Index, string Fingerprint, string? Marks = null)
{
    /// <summary>Digest of a whole file.</summary>
    public static string OfFile(string path)
    {
        using var file = File.OpenRead(path);
        var digest = new XxHash128();
        digest.Append(file);
        return Convert.ToHexStringLower(digest.GetCurrentHash());
    }
}
