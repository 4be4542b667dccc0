using System.Runtime.InteropServices;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Catalog;

/// <summary>How a tensor differs between two checkpoints.</summary>
/// <param name="Name">Global name.</param>
/// <param name="Difference">What keeps the two from being compared (missing, another shape or type), or null.</param>
/// <param name="DifferentCount">Elements whose bits differ.</param>
/// <param name="MaxAbsolute">Largest absolute difference; NaN where a NaN meets a number.</param>
/// <param name="MaxMagnitude">Largest absolute value of the first one's, to judge it by.</param>
public sealed record TensorDifference(string Name, string? Difference, long DifferentCount, double MaxAbsolute, double MaxMagnitude)
{
    /// <summary>Whether both hold the same bits.</summary>
    public bool BitEqual => Difference is null && DifferentCount == 0;
}

/// <summary>Compares two checkpoints tensor by tensor, whatever layouts they were written by.</summary>
public static class CheckpointDiff
{
    private const long BlockBytes = 16 << 20;

    /// <summary>One record for each tensor of either, in order of name.</summary>
    public static IEnumerable<TensorDifference> Compare(CheckpointReader first, CheckpointReader second)
    {
        var names = first
            .Manifest.Tensors.Concat(second.Manifest.Tensors)
            .Select(tensor => tensor.Name)
            .Distinct()
            .Order(StringComparer.Ordinal);
        foreach (string? name in names)
        {
            if (!first.Contains(name) || !second.Contains(name))
                yield return new TensorDifference(name, $"only in the {(first.Contains(name) ? "first" : "second")}", 0, 0, 0);
            else if (Incomparable(first[name], second[name]) is { } difference)
                yield return new TensorDifference(name, difference, 0, 0, 0);
            else
                yield return CompareTensor(first, second, first[name]);
        }
    }

    private static string? Incomparable(TensorRecord a, TensorRecord b) =>
        a.Type != b.Type ? $"{a.Type} and {b.Type}"
        : !a.Shape.AsSpan().SequenceEqual(b.Shape) ? $"{Box.Show(a.Shape)} and {Box.Show(b.Shape)}"
        : null;

    private static TensorDifference CompareTensor(CheckpointReader first, CheckpointReader second, TensorRecord tensor)
    {
        var result = new TensorDifference(tensor.Name, null, 0, 0, 0);
        long row = 0;
        TensorBlocks.ForEach(
            first,
            tensor,
            BlockBytes,
            (address, bytes) =>
            {
                nint other = PageMemory.Allocate(bytes);
                try
                {
                    long count = tensor.Shape.Length == 0 ? 1 : bytes / (tensor.SizeBytes / tensor.Shape[0]);
                    second.Load([TensorBlocks.SliceOf(tensor, row, count, other)]);
                    row += count;
                    result = CompareBlock(result, tensor.Type, PageMemory.Span(address, bytes), PageMemory.Span(other, bytes));
                }
                finally
                {
                    PageMemory.Free(other);
                }
            }
        );
        return result;
    }

    private static TensorDifference CompareBlock(TensorDifference sum, ElementType type, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int size = type.SizeBytes();
        var (different, maxAbsolute, maxMagnitude) = (sum.DifferentCount, sum.MaxAbsolute, sum.MaxMagnitude);
        for (int i = 0; i < a.Length; i += size)
        {
            double value = ElementAt(type, a[i..]);
            maxMagnitude = Math.Max(maxMagnitude, Math.Abs(value));
            if (a.Slice(i, size).SequenceEqual(b.Slice(i, size)))
                continue;
            different++;
            maxAbsolute = Math.Max(maxAbsolute, Math.Abs(value - ElementAt(type, b[i..])));
        }
        return sum with { DifferentCount = different, MaxAbsolute = maxAbsolute, MaxMagnitude = maxMagnitude };
    }

    private static double ElementAt(ElementType type, ReadOnlySpan<byte> bytes) =>
        type switch
        {
            ElementType.Float32 => MemoryMarshal.Read<float>(bytes),
            ElementType.BFloat16 => BitConverter.Int32BitsToSingle(MemoryMarshal.Read<ushort>(bytes) << 16),
            ElementType.Float16 => (double)MemoryMarshal.Read<Half>(bytes),
            ElementType.Float64 => MemoryMarshal.Read<double>(bytes),
            ElementType.Int64 => MemoryMarshal.Read<long>(bytes),
            ElementType.Int32 => MemoryMarshal.Read<int>(bytes),
            _ => bytes[0],
        };
}
