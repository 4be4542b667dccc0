using TorchSharp;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>Queries, keys, values and result of attention as they lie in host memory, a row for each token and no gaps.</summary>
/// <param name="Queries">[tokens, heads, headDim].</param>
/// <param name="Keys">[tokens, kvHeads, headDim].</param>
/// <param name="Values">Like the keys.</param>
/// <param name="Output">Like the queries; overwritten.</param>
/// <param name="Heads">Heads of the queries.</param>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="HeadDim">Width of a head.</param>
/// <param name="Type">Type of all.</param>
internal readonly record struct AttentionRows(
    nint Queries,
    nint Keys,
    nint Values,
    nint Output,
    long Heads,
    long KvHeads,
    long HeadDim,
    ScalarType Type
)
{
    /// <summary>Bytes of a row of queries.</summary>
    public long QueryBytes => Heads * HeadDim * Type.ElementSize();

    /// <summary>Bytes of a row of keys.</summary>
    public long KeyBytes => KvHeads * HeadDim * Type.ElementSize();
}
