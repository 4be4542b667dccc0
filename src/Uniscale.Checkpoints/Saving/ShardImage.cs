using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;

namespace Uniscale.Checkpoints.Saving;

/// <summary>A slice and its place in the rank's file.</summary>
internal sealed record ShardEntry(SliceKey Key, long Start)
{
    public long SizeBytes { get; } = Key.SizeBytes;

    public long End => Start + SizeBytes;
}

/// <summary>
/// The bytes that a rank writes, before they are written: a header of whole pages, unless another rank of the host writes it, then its
/// slices without gaps, then the digests of their chunks as a tensor of bytes that fills the last page.
/// </summary>
internal sealed class ShardImage
{
    /// <summary>Name of the tensor of digests; in a file of several ranks their numbers follow.</summary>
    public const string TableName = "checkpoint.digests";

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    private ShardImage(string fileName, long fileStart, byte[] header, ShardContent content)
    {
        FileName = fileName;
        FileStart = fileStart;
        Header = header;
        var entries = new ShardEntry[content.Keys.Count];
        long position = header.Length;
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = new ShardEntry(content.Keys[i], position);
            position = entries[i].End;
        }
        Entries = entries;
        TableStart = position;
        SizeBytes = header.Length + content.SizeBytes;
    }

    /// <summary>The file.</summary>
    public string FileName { get; }

    /// <summary>Where in the file the image lies: a whole number of pages.</summary>
    public long FileStart { get; }

    /// <summary>Whether ranks beside this one write the file.</summary>
    public bool IsShared { get; private init; }

    public byte[] Header { get; }

    public IReadOnlyList<ShardEntry> Entries { get; }

    /// <summary>First byte of the digests.</summary>
    public long TableStart { get; }

    public long SizeBytes { get; }

    /// <summary>A file of a rank's own.</summary>
    public static ShardImage OfRank(int rank, ShardContent content) =>
        new($"rank-{rank:00000}.safetensors", 0, HeaderOf(content.Tensors(TableName)), content);

    /// <summary>A part of a file that the ranks of a host write together.</summary>
    /// <param name="node">Number of the host.</param>
    /// <param name="start">Where the part lies in the file.</param>
    /// <param name="header">The file's header; empty: another rank writes it.</param>
    /// <param name="content">What the rank writes.</param>
    public static ShardImage InNode(int node, long start, byte[] header, ShardContent content) =>
        new($"node-{node:00000}.safetensors", start, header, content) { IsShared = true };

    /// <summary>The header of a file, of whole pages.</summary>
    public static byte[] HeaderOf(IEnumerable<ShardTensor> tensors) =>
        SafeTensorsHeader.Build(tensors.Select(tensor => (tensor.Name, tensor.Type, tensor.Shape)), Metadata, PageMemory.PageBytes);

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
