using System.IO.Hashing;

namespace Uniscale.Checkpoints.Format;

/// <summary>The digest of all bytes of a checkpoint: XXH3 with 128 bits, in 32 lower-case hexadecimal digits.</summary>
internal static class Digest
{
    /// <summary>Digits of a digest.</summary>
    public const int Length = 32;

    /// <summary>Bytes that one digest of tensor data covers, so that a part can be verified without reading the whole.</summary>
    public const int ChunkBytes = 4 << 20;

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[16];
        XxHash128.Hash(bytes, hash);
        return Convert.ToHexStringLower(hash);
    }

    /// <summary>Digests of a run of bytes.</summary>
    public static long ChunkCount(long sizeBytes) => (sizeBytes + ChunkBytes - 1) / ChunkBytes;
}
