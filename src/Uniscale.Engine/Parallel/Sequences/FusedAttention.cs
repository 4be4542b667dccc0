using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// Causal attention on one device by libtorch's scaled_dot_product_attention, which takes a flash kernel on CUDA in bf16 without documents,
/// and
/// keeps no probabilities. TorchSharp's knows neither a scale nor grouped heads: the scale is the one it has, key-value heads are repeated.
/// </summary>
internal static class FusedAttention
{
    /// <summary>Attention of q [batch, sequence, heads, headDim] over k, v [batch, sequence, kvHeads, headDim].</summary>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="documents">Document of each token, int64 [batch, sequence]; null: one document. Given, a mask of batch · sequence²
    /// bytes lives until backward.</param>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, Tensor? documents)
    {
        using var scope = NewDisposeScope();
        var mask = documents is null ? null : Mask(documents);
        var output = functional.scaled_dot_product_attention(
            q.transpose(1, 2),
            Repeat(k, q.size(2)).transpose(1, 2),
            Repeat(v, q.size(2)).transpose(1, 2),
            mask,
            p: 0,
            is_casual: mask is null
        );
        return output.transpose(1, 2).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Each key-value head as often as query heads read it; autograd sums the gradients of the copies.</summary>
    private static Tensor Repeat(Tensor x, long heads)
    {
        long group = heads / x.size(2);
        return group == 1 ? x : x.unsqueeze(3).expand(x.size(0), x.size(1), x.size(2), group, x.size(3)).flatten(2, 3);
    }

    /// <summary>Keys that a query sees: those before it, of its document; bool [batch, 1, queries, keys].</summary>
    private static Tensor Mask(Tensor documents)
    {
        long length = documents.size(1);
        var past = ones([length, length], @bool, documents.device).tril();
        return documents.unsqueeze(2).eq(documents.unsqueeze(1)).bitwise_and(past).unsqueeze(1);
    }
}
