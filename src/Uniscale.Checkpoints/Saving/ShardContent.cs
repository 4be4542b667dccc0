using Uniscale.Checkpoints.Format;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>A tensor of a data file.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Shape">Its shape.</param>
internal readonly record struct ShardTensor(string Name, ElementType Type, long[] Shape)
{
    public long SizeBytes => Box.CountOf(Shape) * Type.SizeBytes();
}

/// <summary>What one rank writes, in the order that <see cref="ShardRecord"/> tells, wherever it lies.</summary>
internal sealed class ShardContent
{
    private readonly long _tableBytes;

    /// <param name="keys">The rank's slices, in any order.</param>
    public ShardContent(IEnumerable<SliceKey> keys)
    {
        SliceKey[] ordered = [.. keys];
        Array.Sort(ordered, Compare);
        Keys = ordered;
        long partBytes = ordered.Sum(key => key.SizeBytes);
        SizeBytes = TiledParts.SizeOf(partBytes, ordered.Sum(key => Digest.ChunkCount(key.SizeBytes)));
        _tableBytes = SizeBytes - partBytes;
    }

    /// <summary>The slices.</summary>
    public IReadOnlyList<SliceKey> Keys { get; }

    /// <summary>Bytes of the slices and of their digests: whole pages.</summary>
    public long SizeBytes { get; }

    /// <summary>What a header says of it.</summary>
    /// <param name="table">Name of the tensor of digests.</param>
    public IEnumerable<ShardTensor> Tensors(string table) =>
        Keys.Select(key => new ShardTensor(key.Id, key.Type, key.Shape)).Append(new(table, ElementType.UInt8, [_tableBytes]));

    // Wide elements first keeps every tensor of a file aligned to its element.
    private static int Compare(SliceKey a, SliceKey b) =>
        b.Type.SizeBytes().CompareTo(a.Type.SizeBytes()) is var byWidth and not 0 ? byWidth
        : a.Tensor.CompareTo(b.Tensor) is var byTensor and not 0 ? byTensor
        : Tiling.Compare(a.Offset, b.Offset);
}
