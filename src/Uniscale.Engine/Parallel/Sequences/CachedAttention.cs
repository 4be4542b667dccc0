using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>Attention of new tokens of several sequences over all that their caches hold.</summary>
internal sealed class CachedAttention(IKernels kernels, CachedSequences sequences) : IAttentionLayout
{
    public Tensor Apply(Tensor q, Tensor k, Tensor v, MicrobatchContext context) => sequences.Attend(kernels, q, k, v);
}
