using System.Runtime.InteropServices;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// Flags the digests that were there before, in the order of files and records. Works through the space of digests in parts, so that no
/// more than
/// a given memory is used: what it costs is one reading of the files for each part. Digests have 128 bits: a false match is out of reach.
/// </summary>
internal static class FirstOccurrences
{
    private const long Memory = 256 << 20;

    /// <summary>Of a digest in a set of .NET.</summary>
    private const int BytesEach = 48;

    public static void Decide(
        IReadOnlyList<string> observations,
        IReadOnlyList<string> decisions,
        CancellationToken cancellation,
        long memory = Memory
    )
    {
        long[] counts = [.. observations.Select(RecordFile.Count<UInt128>)];
        Flags[] flags = [.. counts.Select(count => new Flags((int)count))];
        ulong parts = (ulong)((counts.Sum() * BytesEach / memory) + 1);
        var seen = new HashSet<UInt128>();
        for (ulong part = 0; part < parts; part++)
        {
            seen.Clear();
            for (int file = 0; file < observations.Count; file++)
            {
                cancellation.ThrowIfCancellationRequested();
                int index = 0;
                foreach (var digest in RecordFile.Read<UInt128>(observations[file]))
                {
                    if ((ulong)digest % parts == part && !seen.Add(digest))
                        flags[file].Set(index);
                    index++;
                }
            }
        }
        for (int file = 0; file < flags.Length; file++)
            flags[file].Save(decisions[file]);
    }

    /// <summary>Digest of a text in which runs of spaces and line ends count as one space.</summary>
    public static UInt128 Digest(ReadOnlySpan<char> text)
    {
        char[] buffer = System.Buffers.ArrayPool<char>.Shared.Rent(text.Length);
        int length = 0;
        bool space = false;
        foreach (char c in text)
        {
            if (char.IsWhiteSpace(c))
            {
                space = length > 0;
                continue;
            }
            if (space)
                buffer[length++] = ' ';
            space = false;
            buffer[length++] = c;
        }
        var digest = System.IO.Hashing.XxHash128.HashToUInt128(MemoryMarshal.AsBytes(buffer.AsSpan(0, length)));
        System.Buffers.ArrayPool<char>.Shared.Return(buffer);
        return digest;
    }
}
