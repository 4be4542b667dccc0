using Uniscale.Configuration;
using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// All-to-all attention (DeepSpeed-Ulysses; Jacobs et al., 2023): ranks exchange parts of the sequence for heads, attend over the whole
/// sequence with some heads, and exchange back.
/// </summary>
internal sealed class AllToAllAttention(ParallelOps ops) : IAttentionLayout
{
    public Tensor Apply(Tensor q, Tensor k, Tensor v, MicrobatchContext context)
    {
        int size = ops.ContextAxis.Size;
        if (q.size(2) % size != 0)
            throw new UserErrorException(
                $"All-to-all attention over {size} ranks needs a multiple of {size} heads on a rank, not {q.size(2)}; change parallel.context or set parallel.context_method to ring."
            );
        using var scope = NewDisposeScope();
        var documents = context.Documents is { } part ? WholeDocuments(part) : null;
        var output = ops.AttendHere(ToHeads(q), ToHeads(Spread(k, q)), ToHeads(Spread(v, q)), documents);
        return new RedistributeOperation(ops.ContextAxis, toHeads: false).Apply(output).MoveToOuterDisposeScope();
    }

    private Tensor ToHeads(Tensor x) => new RedistributeOperation(ops.ContextAxis, toHeads: true).Apply(x);

    /// <summary>Repeats key-value heads where there are not enough for every rank; autograd sums the gradients of the copies.</summary>
    private Tensor Spread(Tensor x, Tensor q)
    {
        long heads = x.size(2);
        int size = ops.ContextAxis.Size;
        if (heads % size == 0)
            return x;
        return size % heads == 0 ? x.repeat_interleave(size / heads, 2) : x.repeat_interleave(q.size(2) / heads, 2);
    }

    private Tensor WholeDocuments(Tensor part)
    {
        var joined = ops.ContextAxis.GatherSequence(part).Wait();
        return joined.index_select(1, ContextPartition.ToSequence(joined.size(1), ops.ContextAxis.Size, joined.device));
    }
}

/// <summary>
/// Exchanges [batch, sequence/size, heads, headDim] for [batch, sequence, heads/size, headDim], or back; each is the other's gradient.
/// </summary>
internal sealed class RedistributeOperation(TensorGroup group, bool toHeads) : Operation
{
    public Tensor Apply(Tensor x) => Record(x)[0];

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved) => [Move(inputs[0], toHeads)];

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved) =>
        [Move(gradients[0], !toHeads)];

    private Tensor Move(Tensor x, bool heads) => heads ? ToHeads(x) : ToSequence(x);

    private Tensor ToHeads(Tensor x)
    {
        long length = x.size(1) * group.Size;
        var parts = x.unflatten(2, group.Size, x.size(2) / group.Size).permute(2, 0, 1, 3, 4);
        var received = group.AllToAll(parts).Wait();
        return received.transpose(0, 1).flatten(1, 2).index_select(1, ContextPartition.ToSequence(length, group.Size, x.device));
    }

    private Tensor ToSequence(Tensor x)
    {
        var byRank = x.index_select(1, ContextPartition.FromSequence(x.size(1), group.Size, x.device));
        var parts = byRank.unflatten(1, group.Size, x.size(1) / group.Size).transpose(0, 1);
        return group.AllToAll(parts).Wait().permute(1, 2, 0, 3, 4).flatten(2, 3).contiguous();
    }
}
