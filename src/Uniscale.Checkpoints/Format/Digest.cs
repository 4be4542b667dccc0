using System.IO.Hashing;

namespace Uniscale.Checkpoints.Format;

/// <summary>The digest of all bytes of a checkpoint: XXH3 with 128 bits; in JSON and markers as 32 lower-case hexadecimal digits.</summary>
internal static class Digest
{
    /// <summary>Bytes of a digest.</summary>
    public const int SizeBytes = 16;

    /// <summary>Digits of a digest in text.</summary>
    public const int Length = 2 * SizeBytes;

    /// <summary>Bytes that one digest of tensor data covers, so that a part can be verified without reading the whole.</summary>
    public const int ChunkBytes = 4 << 20;

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SizeBytes];
        XxHash128.Hash(bytes, hash);
        return Convert.ToHexStringLower(hash);
    }

    /// <summary>Whether bytes have a digest.</summary>
    public static bool Fits(ReadOnlySpan<byte> digest, ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SizeBytes];
        XxHash128.Hash(bytes, hash);
        return hash.SequenceEqual(digest);
    }

    /// <summary>Digests of a run of bytes.</summary>
    public static long ChunkCount(long sizeBytes, int chunkBytes = ChunkBytes) => (sizeBytes + chunkBytes - 1) / chunkBytes;
}
