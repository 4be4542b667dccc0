using Uniscale.Collectives;

namespace Uniscale.Checkpoints;

/// <summary>
/// A rectangular part of a global tensor that lies contiguously in this rank's memory. A checkpoint knows tensors only by global name
/// and slice, so it can be read back under any layout.
/// </summary>
/// <param name="Name">Global name, e.g. <c>layers.3.attention.wq.weight</c> or <c>optimizer.m/layers.3.attention.wq.weight</c>.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="GlobalShape">Shape of the whole tensor.</param>
/// <param name="Offset">First index of the slice in each dim.</param>
/// <param name="Shape">Extent of the slice in each dim.</param>
/// <param name="Address">Host memory of the slice, row-major, or of the staging copy.</param>
public sealed record StateSlice(string Name, ElementType Type, long[] GlobalShape, long[] Offset, long[] Shape, nint Address)
{
    /// <summary>World ranks that hold this very slice, in one order on all of them; one of them writes it. Null: this rank alone.</summary>
    public IReadOnlyList<int>? Holders { get; init; }

    /// <summary>Elements in the slice.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);

    /// <summary>Bytes of the slice.</summary>
    public long SizeBytes => Count * Type.SizeBytes();

    /// <summary>Whether another slice is the same part of the same tensor, wherever it lies.</summary>
    internal bool IsSamePart(StateSlice other) =>
        Name == other.Name
        && Type == other.Type
        && GlobalShape.AsSpan().SequenceEqual(other.GlobalShape)
        && Offset.AsSpan().SequenceEqual(other.Offset)
        && Shape.AsSpan().SequenceEqual(other.Shape)
        && (ReferenceEquals(Holders, other.Holders) || (Holders ?? []).SequenceEqual(other.Holders ?? []));
}

/// <summary>A tensor of a checkpoint, whoever holds it.</summary>
/// <param name="Name">Global name.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Shape">Global shape.</param>
public sealed record StateTensor(string Name, ElementType Type, long[] Shape);
