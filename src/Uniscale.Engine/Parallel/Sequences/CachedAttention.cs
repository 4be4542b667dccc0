using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>Attention of new tokens over all that the cache holds; not differentiable.</summary>
internal sealed class CachedAttention(IKernels kernels, KeyValueCache cache) : IAttentionLayout
{
    public Tensor Apply(Tensor q, Tensor k, Tensor v, MicrobatchContext context)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var (keys, values) = cache.Append(k, v);
        var mask = new AttentionMask(Causal: true, keys.size(1) - q.size(1));
        return kernels.Attention(q, keys, values, mask, keepProbabilities: false).Output.MoveToOuterDisposeScope();
    }
}
