using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Reference;

/// <summary>Attention over chunks of queries, so that scores never exist whole and keys that a chunk cannot see cost nothing.</summary>
public sealed partial class TorchKernels
{
    /// <summary>Scores that exist at one time.</summary>
    private const long ScoreBudget = 8 << 20;

    /// <inheritdoc/>
    public AttentionResult Attention(Tensor q, Tensor k, Tensor v, AttentionMask mask, bool keepProbabilities)
    {
        using var scope = NewDisposeScope();
        var shape = new AttentionShape(q, k);
        var queries = shape.Queries(q).mul_(Scalars.Of(shape.Scale));
        var keys = shape.Keys(k);
        var values = shape.Keys(v);
        var output = empty_like(queries);
        var logSumExp = empty([shape.Batch * shape.KvHeads, shape.Group, shape.QueryCount, 1], float32, q.device);
        var kept = new List<Tensor>();
        foreach (var chunk in shape.Chunks(mask))
        {
            using var chunkScope = NewDisposeScope();
            var scores = Scores(shape, chunk, queries, keys, mask);
            var maximum = scores.amax([-1], keepdim: true);
            maximum.masked_fill_(maximum.eq(Scalars.Of(double.NegativeInfinity)), Scalars.Of(0));
            scores.sub_(maximum).exp_();
            var sum = scores.sum(-1, keepdim: true);
            AttentionShape.Take(logSumExp, chunk).copy_(shape.Unfold(sum.log().add_(maximum, Scalars.One), chunk));
            scores.div_(sum.add_(sum.eq(Scalars.Of(0)), Scalars.One));
            AttentionShape.Take(output, chunk).copy_(shape.Unfold(scores.bmm(values.narrow(1, 0, chunk.KeyCount)), chunk));
            if (keepProbabilities)
                kept.Add(scores.to(q.dtype).MoveToOtherDisposeScope(scope));
        }
        return new AttentionResult(
            shape.Restore(output, q.dtype).MoveToOuterDisposeScope(),
            logSumExp.view(shape.Batch, shape.Heads, shape.QueryCount).MoveToOuterDisposeScope(),
            kept.ConvertAll(p => p.MoveToOuterDisposeScope())
        );
    }

    /// <inheritdoc/>
    public Tensor AttentionOfSequences(Tensor q, IReadOnlyList<SequenceKeys> sequences)
    {
        using var scope = NewDisposeScope();
        var outputs = new List<Tensor>();
        long offset = 0;
        foreach (var (count, keys, values) in sequences)
        {
            var mask = new AttentionMask(Causal: true, keys.size(1) - count);
            outputs.Add(Attention(q.narrow(1, offset, count), keys, values, mask, keepProbabilities: false).Output);
            offset += count;
        }
        return cat(outputs, 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor AttentionDelta(Tensor gradient, Tensor output)
    {
        using var scope = NewDisposeScope();
        return (gradient.to(float32) * output).sum(-1).transpose(1, 2).contiguous().MoveToOuterDisposeScope();
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
        using var scope = NewDisposeScope();
        var shape = new AttentionShape(q, k);
        var queries = shape.Queries(q).mul_(Scalars.Of(shape.Scale));
        var keys = shape.Keys(k);
        var values = shape.Keys(v);
        var outputGradient = shape.Queries(gradient);
        long[] perQuery = [shape.Batch * shape.KvHeads, shape.Group, shape.QueryCount, 1];
        logSumExp = logSumExp.reshape(perQuery);
        delta = delta.reshape(perQuery);
        var dq = empty_like(queries);
        var dk = zeros_like(keys);
        var dv = zeros_like(values);
        int index = 0;
        foreach (var chunk in shape.Chunks(mask))
        {
            using var chunkScope = NewDisposeScope();
            var p =
                probabilities.Count > 0 ? probabilities[index++].to(float32) : Probabilities(shape, chunk, queries, keys, logSumExp, mask);
            var dOut = shape.Fold(outputGradient, chunk);
            dv.narrow(1, 0, chunk.KeyCount).add_(p.transpose(1, 2).bmm(dOut), Scalars.One);
            var ds = dOut.bmm(values.narrow(1, 0, chunk.KeyCount).transpose(1, 2)).sub_(shape.Fold(delta, chunk)).mul_(p);
            AttentionShape.Take(dq, chunk).copy_(shape.Unfold(ds.bmm(keys.narrow(1, 0, chunk.KeyCount)), chunk));
            dk.narrow(1, 0, chunk.KeyCount).add_(ds.transpose(1, 2).bmm(shape.Fold(queries, chunk)), Scalars.One);
        }
        return new AttentionGradients(
            shape.Restore(dq.mul_(Scalars.Of(shape.Scale)), type).MoveToOuterDisposeScope(),
            shape.RestoreKeys(dk, type).MoveToOuterDisposeScope(),
            shape.RestoreKeys(dv, type).MoveToOuterDisposeScope()
        );
    }

    private static Tensor Probabilities(
        AttentionShape shape,
        QueryChunk chunk,
        Tensor queries,
        Tensor keys,
        Tensor logSumExp,
        AttentionMask mask
    )
    {
        using var scope = NewDisposeScope();
        var normaliser = shape.Fold(logSumExp, chunk);
        normaliser = normaliser.masked_fill(normaliser.eq(Scalars.Of(double.NegativeInfinity)), Scalars.Of(0));
        return Scores(shape, chunk, queries, keys, mask).sub_(normaliser).exp_().MoveToOuterDisposeScope();
    }

    /// <summary>Masked scores of a chunk of scaled queries, [batch·kvHeads, group·chunk, keys].</summary>
    private static Tensor Scores(AttentionShape shape, QueryChunk chunk, Tensor queries, Tensor keys, AttentionMask mask)
    {
        using var scope = NewDisposeScope();
        var scores = shape.Fold(queries, chunk).bmm(keys.narrow(1, 0, chunk.KeyCount).transpose(1, 2));
        var byHead = scores.view(shape.Batch, shape.KvHeads * shape.Group, chunk.Count, chunk.KeyCount);
        if (mask.Causal)
        {
            var future = ones([chunk.Count, chunk.KeyCount], @bool, scores.device).triu_(mask.Offset + chunk.Start + 1);
            byHead.masked_fill_(future, Scalars.Of(double.NegativeInfinity));
        }
        if (mask.QueryDocuments is { } queryDocuments && mask.KeyDocuments is { } keyDocuments)
        {
            var query = queryDocuments.narrow(1, chunk.Start, chunk.Count).unsqueeze(1).unsqueeze(-1);
            var key = keyDocuments.narrow(1, 0, chunk.KeyCount).unsqueeze(1).unsqueeze(1);
            byHead.masked_fill_(query.ne(key), Scalars.Of(double.NegativeInfinity));
        }
        return scores.MoveToOuterDisposeScope();
    }

    /// <summary>Queries [Start, Start + Count) and the keys [0, KeyCount) that they may see.</summary>
    private readonly record struct QueryChunk(long Start, long Count, long KeyCount);

    /// <summary>Sizes of an attention and the foldings between [batch, sequence, heads, headDim] and batched matrices.</summary>
    private readonly struct AttentionShape(Tensor q, Tensor k)
    {
        public long Batch { get; } = q.shape[0];

        public long QueryCount { get; } = q.shape[1];

        public long Heads { get; } = q.shape[2];

        public long KeyCount { get; } = k.shape[1];

        public long KvHeads { get; } = k.shape[2];

        public long Group => Heads / KvHeads;

        private long HeadDim { get; } = q.shape[3];

        public double Scale => 1 / Math.Sqrt(HeadDim);

        /// <summary>Chunks of queries: an eighth of a long causal sequence, less where scores would pass the budget.</summary>
        public IEnumerable<QueryChunk> Chunks(AttentionMask mask)
        {
            long perQuery = Batch * Heads * KeyCount;
            long size = Math.Max(1, ScoreBudget / Math.Max(1, perQuery));
            if (mask.Causal)
                size = Math.Min(size, Math.Max(128, QueryCount / 8));
            for (long start = 0; start < QueryCount; start += size)
            {
                long count = Math.Min(size, QueryCount - start);
                yield return new QueryChunk(start, count, mask.Causal ? Math.Min(KeyCount, mask.Offset + start + count) : KeyCount);
            }
        }

        /// <summary>fp32 copy [batch·kvHeads, group, queries, headDim].</summary>
        public Tensor Queries(Tensor x) =>
            x.transpose(1, 2).to(float32).clone().contiguous().view(Batch * KvHeads, Group, QueryCount, HeadDim);

        /// <summary>fp32 [batch·kvHeads, keys, headDim].</summary>
        public Tensor Keys(Tensor x) => x.transpose(1, 2).to(float32).contiguous().view(Batch * KvHeads, KeyCount, HeadDim);

        /// <summary>The chunk of a tensor [batch·kvHeads, group, queries, n], as a view.</summary>
        public static Tensor Take(Tensor x, QueryChunk chunk) => x.narrow(2, chunk.Start, chunk.Count);

        /// <summary>The chunk with the heads of a group among the rows: [batch·kvHeads, group·chunk, n].</summary>
        public Tensor Fold(Tensor x, QueryChunk chunk) => Take(x, chunk).reshape(x.shape[0], Group * chunk.Count, x.shape[3]);

        /// <summary>Reverses <see cref="Fold"/>.</summary>
        public Tensor Unfold(Tensor x, QueryChunk chunk) => x.view(x.shape[0], Group, chunk.Count, x.shape[2]);

        /// <summary>[batch, queries, heads, headDim] from [batch·kvHeads, group, queries, headDim].</summary>
        public Tensor Restore(Tensor x, ScalarType type) => x.view(Batch, Heads, QueryCount, HeadDim).transpose(1, 2).to(type).contiguous();

        /// <summary>[batch, keys, kvHeads, headDim] from [batch·kvHeads, keys, headDim].</summary>
        public Tensor RestoreKeys(Tensor x, ScalarType type) =>
            x.view(Batch, KvHeads, KeyCount, HeadDim).transpose(1, 2).to(type).contiguous();
    }
}
