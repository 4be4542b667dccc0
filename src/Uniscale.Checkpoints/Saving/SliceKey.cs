using Uniscale.Checkpoints.Format;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>A slice without its memory.</summary>
/// <param name="Tensor">Index of the tensor in the table that all ranks agree on.</param>
/// <param name="Name">Its global name.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="GlobalShape">Shape of the whole tensor.</param>
/// <param name="Offset">First index of the slice in each dim.</param>
/// <param name="Shape">Extent of the slice in each dim.</param>
internal sealed record SliceKey(int Tensor, string Name, ElementType Type, long[] GlobalShape, long[] Offset, long[] Shape)
{
    public Box Box => new(Offset, Shape);

    public long SizeBytes => Box.Count * Type.SizeBytes();

    /// <summary>Identity: name and place. It is also the key in the safetensors file.</summary>
    public string Id { get; } = IdOf(Name, GlobalShape, Offset, Shape);

    /// <summary>The plain name for a whole tensor, else <c>name@offsets:extents</c>.</summary>
    public static string IdOf(string name, long[] globalShape, long[] offset, long[] shape) =>
        offset.All(index => index == 0) && shape.AsSpan().SequenceEqual(globalShape)
            ? name
            : $"{name}@{string.Join(',', offset)}:{string.Join(',', shape)}";
}
