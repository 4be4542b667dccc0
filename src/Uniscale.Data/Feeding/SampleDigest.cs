using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Uniscale.Data;

/// <summary>
/// Digest of the tokens that a sample feeds, keyed by the sample's number. The digest of a batch is the sum of its samples' modulo 2^64, in
/// any order:
/// replicas add theirs, and the result is the same for every number of replicas.
/// </summary>
public static class SampleDigest
{
    /// <summary>Digest of sample <paramref name="index"/>.</summary>
    public static ulong Of(long index, ReadOnlySpan<int> tokens) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(tokens), index);
}
