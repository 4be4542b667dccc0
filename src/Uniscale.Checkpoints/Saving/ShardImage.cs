using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>A slice and its place in the rank's file.</summary>
internal sealed record ShardEntry(SliceKey Key, long Start)
{
    public long SizeBytes { get; } = Key.SizeBytes;

    public long End => Start + SizeBytes;
}

/// <summary>
/// The bytes of a rank's file before they are written: a header of whole pages, then its slices without gaps, then the digests of their
/// chunks as a tensor of
/// bytes that fills the last page.
/// </summary>
internal sealed class ShardImage
{
    /// <summary>Name of the tensor of digests.</summary>
    public const string TableName = "checkpoint.digests";

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    private ShardImage(byte[] header, ShardEntry[] entries)
    {
        Header = header;
        Entries = entries;
        TableStart = entries.Length == 0 ? header.Length : entries[^1].End;
        SizeBytes = header.Length + TableEnd(entries);
    }

    public byte[] Header { get; }

    public IReadOnlyList<ShardEntry> Entries { get; }

    /// <summary>First byte of the digests.</summary>
    public long TableStart { get; }

    public long SizeBytes { get; }

    /// <summary>Name of a rank's file.</summary>
    public static string FileName(int rank) => $"rank-{rank:00000}.safetensors";

    /// <summary>Lays slices out in the order that <see cref="ShardRecord"/> tells.</summary>
    public static ShardImage Of(IReadOnlyList<SliceKey> keys)
    {
        SliceKey[] ordered = [.. keys];
        Array.Sort(ordered, Compare);
        long partBytes = ordered.Sum(key => key.SizeBytes);
        long tableBytes = TiledParts.SizeOf(partBytes, ordered.Sum(key => Digest.ChunkCount(key.SizeBytes))) - partBytes;
        var tensors = ordered.Select(key => (key.Id, key.Type, key.Shape)).Append((TableName, ElementType.UInt8, [tableBytes]));
        byte[] header = SafeTensorsHeader.Build(tensors, Metadata, PageMemory.PageBytes);
        var entries = new ShardEntry[ordered.Length];
        long position = header.Length;
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = new ShardEntry(ordered[i], position);
            position = entries[i].End;
        }
        return new ShardImage(header, entries);
    }

    /// <summary>Copies a part of the file's bytes out of the header and the tensors' memory.</summary>
    /// <param name="addresses">Memory of each entry.</param>
    /// <param name="offset">First byte within the file.</param>
    /// <param name="destination">Receives the bytes; what lies behind the slices becomes zero.</param>
    public void CopyTo(IReadOnlyList<nint> addresses, long offset, Span<byte> destination)
    {
        long end = offset + destination.Length;
        if (offset < Header.Length)
        {
            int count = (int)Math.Min(Header.Length - offset, destination.Length);
            Header.AsSpan((int)offset, count).CopyTo(destination);
        }
        for (int i = FirstEndingAfter(offset); i < Entries.Count && Entries[i].Start < end; i++)
        {
            long from = Math.Max(offset, Entries[i].Start);
            int count = (int)(Math.Min(end, Entries[i].End) - from);
            PageMemory.StreamTo(
                PageMemory.Span(addresses[i] + (nint)(from - Entries[i].Start), count),
                destination[(int)(from - offset)..]
            );
        }
        if (end > TableStart)
            destination[(int)Math.Max(0, TableStart - offset)..].Clear();
    }

    private static long TableEnd(ShardEntry[] entries) =>
        TiledParts.SizeOf(entries.Sum(entry => entry.SizeBytes), entries.Sum(entry => Digest.ChunkCount(entry.SizeBytes)));

    // Wide elements first keeps every tensor of a file aligned to its element.
    private static int Compare(SliceKey a, SliceKey b) =>
        b.Type.SizeBytes().CompareTo(a.Type.SizeBytes()) is var byWidth and not 0 ? byWidth
        : a.Tensor.CompareTo(b.Tensor) is var byTensor and not 0 ? byTensor
        : Tiling.Compare(a.Offset, b.Offset);

    private int FirstEndingAfter(long offset)
    {
        int low = 0,
            high = Entries.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Entries[middle].End <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
