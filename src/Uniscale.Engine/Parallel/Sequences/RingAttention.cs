using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// Ring attention (Liu et al., 2023): keys and values travel round the context axis while every rank attends with its own queries; partial
/// results are joined by their log-sum-exp in fp32. With the pairing of <see cref="ContextPartition"/> each step after the
/// first is half a square of scores on every rank.
/// </summary>
internal sealed class RingAttention(ParallelOps ops) : IAttentionLayout
{
    public Tensor Apply(Tensor q, Tensor k, Tensor v, MicrobatchContext context) =>
        new RingAttentionOperation(ops, context.Documents).Apply(q, k, v);
}

/// <summary>One ring attention; see <see cref="RingAttention"/>.</summary>
internal sealed class RingAttentionOperation(ParallelOps ops, Tensor? documents) : Operation
{
    private const int KeyValueTag = 0;
    private const int GradientTag = 1;

    private readonly TensorGroup _ring = ops.ContextAxis;

    public Tensor Apply(Tensor q, Tensor k, Tensor v) => Record(q, k, v)[0];

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        var allDocuments = GatherDocuments();
        var output = zeros(q.shape, float32, q.device);
        var logSumExp = full([q.size(0), q.size(2), q.size(1)], Scalars.Of(double.NegativeInfinity), float32, q.device);
        Travel(
            stack([k, v]),
            (keyValue, owner) =>
            {
                var step = new RingStep(_ring.Rank, owner, q.size(1));
                var part = ops.Kernels.Attention(
                    step.Queries(q),
                    step.Keys(keyValue[0]),
                    step.Keys(keyValue[1]),
                    step.Mask(allDocuments),
                    keepProbabilities: false
                );
                Merge(step.Queries(output), step.Rows(logSumExp), part);
            }
        );
        var result = output.to(q.dtype);
        saved.AddRange([q, k, v, result.alias(), logSumExp]);
        return [result];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var (q, k, v, logSumExp) = (saved[0], saved[1], saved[2], saved[4]);
        var gradient = gradients[0];
        var allDocuments = GatherDocuments();
        var delta = ops.Kernels.AttentionDelta(gradient, saved[3]);
        var dq = zeros(q.shape, float32, q.device);
        var dKeyValue = zeros([2, .. k.shape], float32, k.device);
        Travel(
            stack([k, v]),
            (keyValue, owner) =>
            {
                var step = new RingStep(_ring.Rank, owner, q.size(1));
                var part = ops.Kernels.AttentionBackward(
                    step.Queries(gradient),
                    step.Queries(q),
                    step.Keys(keyValue[0]),
                    step.Keys(keyValue[1]),
                    step.Rows(logSumExp),
                    step.Rows(delta),
                    step.Mask(allDocuments),
                    [],
                    float32
                );
                step.Queries(dq).add_(part.Query, Scalars.One);
                step.Keys(dKeyValue[0]).add_(part.Key, Scalars.One);
                step.Keys(dKeyValue[1]).add_(part.Value, Scalars.One);

                // The gradient of the block moves on with it; after the last step it is back with its owner.
                using var sent = dKeyValue;
                dKeyValue = _ring.Rotate(sent, GradientTag).Wait().MoveToOuterDisposeScope();
            }
        );
        var type = q.dtype;
        return [dq.to(type), dKeyValue[0].to(type), dKeyValue[1].to(type)];
    }

    /// <summary>Visits every rank's block, this rank's first; the next block arrives while one is worked on.</summary>
    private void Travel(Tensor own, Action<Tensor, int> visit)
    {
        var block = own;
        for (int step = 0; step < _ring.Size; step++)
        {
            using var scope = NewDisposeScope();
            Pending? arriving = step + 1 < _ring.Size ? _ring.Rotate(block, KeyValueTag) : null;
            visit(block, (_ring.Rank - step + _ring.Size) % _ring.Size);
            var next = arriving?.Wait().MoveToOuterDisposeScope();
            if (step > 0)
                block.Dispose();
            block = next ?? block;
        }
    }

    /// <summary>Documents of every rank's tokens, [size, batch, length].</summary>
    private Tensor? GatherDocuments() => documents is null ? null : _ring.Gather(documents).Wait();

    /// <summary>Joins a part into output [batch, queries, heads, headDim] and log-sum-exp [batch, heads, queries].</summary>
    private static void Merge(Tensor output, Tensor logSumExp, AttentionResult part)
    {
        using var scope = NewDisposeScope();
        var joined = logaddexp(logSumExp, part.LogSumExp);

        // A query that has seen no key yet has nothing to rescale: exp(−∞ − −∞) must count as 0.
        var old = (logSumExp - joined).exp_().nan_to_num_(0);
        var added = (part.LogSumExp - joined).exp_().nan_to_num_(0);
        output.mul_(old.transpose(1, 2).unsqueeze(-1)).add_(part.Output * added.transpose(1, 2).unsqueeze(-1), Scalars.One);
        logSumExp.copy_(joined);
    }

    /// <summary>Which of this rank's queries see which of a block's keys: own block causally, the early half of blocks of lower ranks
    /// by all queries, and blocks of higher ranks by the late half of the queries.</summary>
    private readonly struct RingStep(int rank, int owner, long length)
    {
        private readonly long _half = length / 2;

        /// <summary>Queries that take part, of [batch, queries, heads, headDim].</summary>
        public Tensor Queries(Tensor x) => owner > rank ? x.narrow(1, _half, _half) : x;

        /// <summary>Their rows of [batch, heads, queries].</summary>
        public Tensor Rows(Tensor x) => owner > rank ? x.narrow(2, _half, _half) : x;

        /// <summary>Keys that take part, of [batch, keys, heads, headDim].</summary>
        public Tensor Keys(Tensor x) => owner < rank ? x.narrow(1, 0, _half) : x;

        public AttentionMask Mask(Tensor? documents) =>
            documents is null
                ? new AttentionMask(owner == rank)
                : new AttentionMask(owner == rank, 0, Queries(documents[rank]), Keys(documents[owner]));
    }
}
