using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;

namespace Uniscale.Checkpoints.Saving;

/// <summary>A slice and its place in the rank's file.</summary>
internal sealed record ShardEntry(SliceKey Key, long Start)
{
    public long SizeBytes { get; } = Key.SizeBytes;

    public long End => Start + SizeBytes;
}

/// <summary>The bytes of a rank's file before they are written: a header of whole pages, then its slices without gaps.</summary>
internal sealed class ShardImage
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    private ShardImage(byte[] header, ShardEntry[] entries)
    {
        Header = header;
        Entries = entries;
    }

    public byte[] Header { get; }

    public IReadOnlyList<ShardEntry> Entries { get; }

    public long SizeBytes => Entries.Count == 0 ? Header.Length : Entries[^1].End;

    /// <summary>Name of a rank's file.</summary>
    public static string FileName(int rank) => $"rank-{rank:00000}.safetensors";

    public static ShardImage Of(IReadOnlyList<SliceKey> keys)
    {
        byte[] header = SafeTensorsHeader.Build(keys.Select(key => (key.Id, key.Type, key.Shape)), Metadata, PageMemory.PageBytes);
        var entries = new ShardEntry[keys.Count];
        long position = header.Length;
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = new ShardEntry(keys[i], position);
            position = entries[i].End;
        }
        return new ShardImage(header, entries);
    }

    /// <summary>Copies a part of the file's bytes out of the header and the tensors' memory.</summary>
    /// <param name="addresses">Memory of each entry.</param>
    /// <param name="offset">First byte within the file.</param>
    /// <param name="destination">Receives the bytes; what lies past the end of the file becomes zero.</param>
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
            PageMemory.StreamTo(PageMemory.Span(addresses[i] + (nint)(from - Entries[i].Start), count), destination[(int)(from - offset)..]);
        }
        if (end > SizeBytes)
            destination[(int)Math.Max(0, SizeBytes - offset)..].Clear();
    }

    private int FirstEndingAfter(long offset)
    {
        int low = 0, high = Entries.Count;
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
