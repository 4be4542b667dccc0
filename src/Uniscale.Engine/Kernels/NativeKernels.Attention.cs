using TorchSharp;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Kernels;

/// <summary>Attention in tiles; probabilities are never kept, backward computes them again from the log-sum-exp.</summary>
public sealed partial class NativeKernels
{
    /// <inheritdoc/>
    public AttentionResult Attention(Tensor q, Tensor k, Tensor v, AttentionMask mask, bool keepProbabilities)
    {
        if (!TakesHeads(q, k, v)) return TorchKernels.Instance.Attention(q, k, v, mask, keepProbabilities);
        using var scope = NewDisposeScope();
        var (queries, keys, values) = (q.contiguous(), k.contiguous(), v.contiguous());
        var output = empty_like(queries);
        var logSumExp = empty([q.shape[0], q.shape[2], q.shape[1]], float32, q.device);
        CpuKernels.AttentionForward(
            Address(queries), Address(keys), Address(values), Address(output), Address(logSumExp), ShapeOf(queries, keys, mask));
        return new AttentionResult(output.MoveToOuterDisposeScope(), logSumExp.MoveToOuterDisposeScope(), []);
    }

    /// <inheritdoc/>
    public AttentionGradients AttentionBackward(
        Tensor gradient, Tensor q, Tensor k, Tensor v, Tensor logSumExp, Tensor delta, AttentionMask mask, IReadOnlyList<Tensor> probabilities,
        ScalarType type)
    {
        if (!TakesHeads(q, k, v, gradient))
            return TorchKernels.Instance.AttentionBackward(gradient, q, k, v, logSumExp, delta, mask, probabilities, type);
        using var scope = NewDisposeScope();
        var (dy, queries, keys, values) = (gradient.contiguous(), q.contiguous(), k.contiguous(), v.contiguous());
        var (sums, subtracted) = (logSumExp.contiguous(), delta.contiguous());
        var dq = empty(queries.shape, type, q.device);
        var (dk, dv) = (empty(keys.shape, type, q.device), empty(values.shape, type, q.device));
        CpuKernels.AttentionBackward(
            Address(dy), Address(queries), Address(keys), Address(values), Address(sums), Address(subtracted), Address(dq), Address(dk), Address(dv),
            ShapeOf(queries, keys, mask), TypeOf(dq));
        return new AttentionGradients(dq.MoveToOuterDisposeScope(), dk.MoveToOuterDisposeScope(), dv.MoveToOuterDisposeScope());
    }

    private static bool TakesHeads(Tensor q, params ReadOnlySpan<Tensor?> others) =>
        q.shape[3] % 2 == 0 && CpuKernels.IsSupported && q.device_type == DeviceType.CPU
        && q.dtype is ScalarType.Float32 or ScalarType.BFloat16 && SameType(q, others);

    private static bool SameType(Tensor tensor, ReadOnlySpan<Tensor?> others)
    {
        foreach (var other in others)
            if (other is not null && other.dtype != tensor.dtype)
                return false;
        return true;
    }

    /// <summary>Call where the documents live in the caller's scope: the shape holds their addresses.</summary>
    private static AttentionShape ShapeOf(Tensor q, Tensor k, AttentionMask mask) =>
        new(q.shape[0], q.shape[1], k.shape[1], q.shape[2], k.shape[2], q.shape[3], (float)(1 / Math.Sqrt(q.shape[3])), TypeOf(q))
        {
            Diagonal = mask.Causal ? mask.Offset : k.shape[1],
            QueryDocuments = AddressOrNull(mask.QueryDocuments?.contiguous()),
            KeyDocuments = AddressOrNull(mask.KeyDocuments?.contiguous()),
        };
}
