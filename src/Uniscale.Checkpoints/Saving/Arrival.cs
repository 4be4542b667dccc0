using System.Text;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>What a rank says of itself and of the ranks below it when they are durable, or not.</summary>
/// <param name="Attempt">The save.</param>
/// <param name="Failure">Why one of them is not durable; empty: all are.</param>
/// <param name="TableDigests">Digest of the digests of each rank's part, in hexadecimal digits; empty where it wrote none.</param>
internal sealed record Arrival(string Attempt, string Failure, IReadOnlyDictionary<int, string> TableDigests)
{
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Attempt);
        writer.Write(Failure);
        foreach (var (rank, digest) in TableDigests)
        {
            writer.Write7BitEncodedInt(rank);
            writer.Write(digest.Length > 0);
            writer.Write(Convert.FromHexString(digest));
        }
        return stream.ToArray();
    }

    public static Arrival Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        string attempt = reader.ReadString(),
            failure = reader.ReadString();
        var digests = new Dictionary<int, string>();
        while (reader.BaseStream.Position < bytes.Length)
        {
            int rank = reader.Read7BitEncodedInt();
            digests[rank] = Convert.ToHexStringLower(reader.ReadBytes(reader.ReadBoolean() ? Digest.SizeBytes : 0));
        }
        return new Arrival(attempt, failure, digests);
    }
}
