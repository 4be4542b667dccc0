using TorchSharp;
using Uniscale.Kernels.Reference;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Cpu;

/// <summary>Attention in tiles; probabilities are never kept, backward computes them again from the log-sum-exp.</summary>
public sealed partial class NativeKernels
{
    /// <inheritdoc/>
    public AttentionResult Attention(Tensor q, Tensor k, Tensor v, AttentionMask mask, bool keepProbabilities)
    {
        if (!TakesHeads(q, k, v))
            return TorchKernels.Instance.Attention(q, k, v, mask, keepProbabilities);
        var (queries, keys, values) = (Dense(q), Dense(k), Dense(v));
        var output = TensorMemory.EmptyLike(queries);
        var logSumExp = TensorMemory.Empty([q.size(0), q.size(2), q.size(1)], float32);
        CpuKernels.AttentionForward(
            Address(queries),
            Address(keys),
            Address(values),
            Address(output),
            Address(logSumExp),
            ShapeOf(queries, keys, mask)
        );
        return new AttentionResult(output, logSumExp, []);
    }

    /// <inheritdoc/>
    public Tensor AttentionOfSequences(Tensor q, IReadOnlyList<SequenceKeys> sequences)
    {
        if (!TakesHeads(q, sequences[0].Keys, sequences[0].Values))
            return TorchKernels.Instance.AttentionOfSequences(q, sequences);
        var queries = Dense(q);
        var output = TensorMemory.EmptyLike(queries);
        var parts = new AttentionSequence[sequences.Count];
        long offset = 0,
            row = q.size(2) * q.size(3) * q.element_size();
        for (int i = 0; i < parts.Length; i++)
        {
            var (count, keys, values) = sequences[i];
            parts[i] = new AttentionSequence(
                Address(queries) + (nint)(offset * row),
                Address(keys),
                Address(values),
                Address(output) + (nint)(offset * row),
                count,
                keys.size(1)
            );
            offset += count;
        }
        AttentionOfSequences(parts, q.size(2), sequences[0].Keys.size(2), q.size(3), queries.dtype);
        return output;
    }

    /// <summary>The same on raw memory.</summary>
    /// <param name="sequences">Where each sequence lies.</param>
    /// <param name="heads">Heads of the queries.</param>
    /// <param name="kvHeads">Heads of keys and values.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="type">fp32 or bf16.</param>
    public static void AttentionOfSequences(
        ReadOnlySpan<AttentionSequence> sequences,
        long heads,
        long kvHeads,
        long headDim,
        ScalarType type
    ) => CpuKernels.AttentionOfSequences(sequences, heads, kvHeads, headDim, (float)(1 / Math.Sqrt(headDim)), TypeOf(type));

    /// <inheritdoc/>
    public Tensor AttentionDelta(Tensor gradient, Tensor output)
    {
        if (!TakesHeads(gradient, output))
            return TorchKernels.Instance.AttentionDelta(gradient, output);
        var (dy, y) = (Dense(gradient), Dense(output));
        long batch = y.size(0),
            queries = y.size(1),
            heads = y.size(2);
        var delta = TensorMemory.Empty([batch, heads, queries], float32);
        CpuKernels.AttentionDelta(Address(dy), Address(y), Address(delta), batch, queries, heads, y.size(3), TypeOf(y));
        return delta;
    }

    /// <inheritdoc/>
    public AttentionGradients AttentionBackward(
        Tensor gradient,
        Tensor q,
        Tensor k,
        Tensor v,
        Tensor logSumExp,
        Tensor delta,
        AttentionMask mask,
        IReadOnlyList<Tensor> probabilities,
        ScalarType type
    )
    {
        if (!TakesHeads(q, k, v, gradient))
            return TorchKernels.Instance.AttentionBackward(gradient, q, k, v, logSumExp, delta, mask, probabilities, type);
        var (dy, queries, keys, values) = (Dense(gradient), Dense(q), Dense(k), Dense(v));
        var (sums, subtracted) = (Dense(logSumExp), Dense(delta));
        var dq = TensorMemory.EmptyLike(queries, type);
        var (dk, dv) = (TensorMemory.EmptyLike(keys, type), TensorMemory.EmptyLike(values, type));
        CpuKernels.AttentionBackward(
            Address(dy),
            Address(queries),
            Address(keys),
            Address(values),
            Address(sums),
            Address(subtracted),
            Address(dq),
            Address(dk),
            Address(dv),
            ShapeOf(queries, keys, mask),
            TypeOf(dq)
        );
        return new AttentionGradients(dq, dk, dv);
    }

    /// <summary>Whether the native kernels take tensors of a type on the CPU, and attention heads of a width.</summary>
    public static bool Takes(ScalarType type, long headDim) =>
        CpuKernels.IsSupported && type is ScalarType.Float32 or ScalarType.BFloat16 && headDim % 2 == 0;

    private static bool TakesHeads(Tensor q, params ReadOnlySpan<Tensor?> others) =>
        q.device_type == DeviceType.CPU && Takes(q.dtype, q.size(3)) && SameType(q, others);

    private static bool SameType(Tensor tensor, ReadOnlySpan<Tensor?> others)
    {
        foreach (var other in others)
            if (other is not null && other.dtype != tensor.dtype)
                return false;
        return true;
    }

    /// <summary>Call where the documents live in the caller's scope: the shape holds their addresses.</summary>
    private static AttentionShape ShapeOf(Tensor q, Tensor k, AttentionMask mask) =>
        new(q.size(0), q.size(1), k.size(1), q.size(2), k.size(2), q.size(3), (float)(1 / Math.Sqrt(q.size(3))), TypeOf(q))
        {
            Diagonal = mask.Causal ? mask.Offset : k.size(1),
            QueryDocuments = AddressOrNull(mask.QueryDocuments?.contiguous()),
            KeyDocuments = AddressOrNull(mask.KeyDocuments?.contiguous()),
        };
}
