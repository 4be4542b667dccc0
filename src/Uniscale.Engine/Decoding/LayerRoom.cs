using TorchSharp;
using Uniscale.Configuration;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Decoding;

/// <summary>Memory for what a transformer block computes of some tokens: matrices with a row for each token, one by one.</summary>
internal sealed class LayerRoom : IDisposable
{
    private const long Alignment = 64;

    private readonly Tensor _memory;
    private readonly ScalarType _type;

    /// <param name="shape">Shape of the model.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="type">Type of all but the statistics of norms.</param>
    public LayerRoom(ModelSection shape, long rows, ScalarType type)
    {
        _type = type;
        Rows = rows;
        Ffn = shape.Ffn;
        long queries = (long)shape.Heads * shape.HeadDim,
            keys = (long)shape.KvHeads * shape.HeadDim,
            size = type.ElementSize();
        long[] bytes =
        [
            shape.Hidden * size,
            queries * size,
            keys * size,
            keys * size,
            queries * size,
            Ffn * size,
            Ffn * size,
            Ffn * size,
            sizeof(float),
            sizeof(float),
        ];
        long total = bytes.Sum(row => Aligned(row * rows));
        _memory = TensorMemory.Empty([total + Alignment], ScalarType.Byte);
        nint next = (nint)Aligned(TensorMemory.DataPointer(_memory));
        nint[] starts = new nint[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            starts[i] = next;
            next += (nint)Aligned(bytes[i] * rows);
        }
        (Normalised, Query, Key, Value, Attended) = (starts[0], starts[1], starts[2], starts[3], starts[4]);
        (Gate, Up, Activated, Scale, Mean) = (starts[5], starts[6], starts[7], starts[8], starts[9]);
    }

    /// <summary>Tokens.</summary>
    public long Rows { get; }

    /// <summary>Width of the feed-forward network.</summary>
    public long Ffn { get; }

    /// <summary>Type of the matrices.</summary>
    public KernelType KernelType => NativeKernels.TypeOf(_type);

    /// <summary>[rows, hidden].</summary>
    public nint Normalised { get; }

    /// <summary>[rows, heads, headDim].</summary>
    public nint Query { get; }

    /// <summary>[rows, kvHeads, headDim].</summary>
    public nint Key { get; }

    /// <summary>Like the keys.</summary>
    public nint Value { get; }

    /// <summary>Like the queries.</summary>
    public nint Attended { get; }

    /// <summary>[rows, ffn].</summary>
    public nint Gate { get; }

    /// <summary>[rows, ffn].</summary>
    public nint Up { get; }

    /// <summary>[rows, ffn].</summary>
    public nint Activated { get; }

    /// <summary>Of a norm, fp32 [rows].</summary>
    public nint Scale { get; }

    /// <summary>Of a layer norm, fp32 [rows].</summary>
    public nint Mean { get; }

    /// <summary>What attention reads and writes.</summary>
    public AttentionRows Attention(ModelSection shape) =>
        new(Query, Key, Value, Attended, shape.Heads, shape.KvHeads, shape.HeadDim, _type);

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;
}
