using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// Output projection and summed cross-entropy over a vocabulary that is split over the tensor axis (<see cref="VocabularyPart"/>).
/// Gradients are computed while
/// the logits are there, so that they are not computed twice.
/// </summary>
internal sealed class HeadLossOperation(ParallelOps ops, long vocabulary, MicrobatchContext context) : Operation
{
    private readonly bool _differentiate = is_grad_enabled();
    private Func<GradientSum>? _weightSink;

    public Tensor Apply(Tensor x, Tensor weight)
    {
        _weightSink = ops.Sink.Find(weight);
        return Record(x, weight)[0];
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var weight = inputs[1];
        var x = ops.GatherResidual(inputs[0]).Wait();
        var rows = x.reshape(-1, x.size(2));
        var targets = (
            context.Targets ?? throw new InvalidOperationException("The head is asked for a loss, but the microbatch has no targets.")
        ).reshape(-1);
        var part = new VocabularyPart(ops, weight, vocabulary, rows.size(0));

        var loss = zeros([], float32, x.device);
        var dx = _differentiate ? TensorMemory.EmptyLike(rows) : null;
        var dw = _differentiate ? part.WeightSum(_weightSink, weight) : default;
        var told = context.TokenLosses?.view(-1);
        for (long start = 0; start < rows.size(0); start += part.ChunkTokens)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(part.ChunkTokens, rows.size(0) - start);
            var (losses, gradient) = Chunk(rows.narrow(0, start, count), targets.narrow(0, start, count), part);
            loss.add_(losses.sum(), Scalars.One);
            told?.narrow(0, start, count).copy_(losses);
            if (dx is null)
                continue;
            ops.Kernels.LinearInputGradient(gradient, part.Weight, dx.narrow(0, start, count), add: false);
            var sum = new GradientSum(dw.Values.narrow(0, 0, part.Entries), dw.IsEmpty && start == 0);
            ops.Kernels.AccumulateWeightGradient(sum, gradient, rows.narrow(0, start, count));
        }
        if (dx is not null)
            saved.AddRange(_weightSink is null ? [dx.view(x.shape), dw.Values] : [dx.view(x.shape)]);
        return [context.LossScale.Multiply(loss)];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        // The loss is the end of the row, so the incoming gradient is 1 unless somebody scales the loss by hand.
        var dx = ops.ReduceResidual(saved[0] * gradients[0].to(saved[0].dtype)).Wait();
        return [dx, saved.Count > 1 ? (saved[1] * gradients[0]).to(dx.dtype) : null];
    }

    /// <summary>Losses of a chunk's tokens, 0 where none is taken, and the gradient of its logits, which are overwritten.</summary>
    private (Tensor Losses, Tensor Gradient) Chunk(Tensor x, Tensor targets, VocabularyPart part)
    {
        var logits = part.LogitsOf(x);
        var local = part.Local(targets);
        var counted = targets.ne(Scalars.Of(MicrobatchContext.Ignored));
        var scale = context.LossScale.Multiply(counted.to(float32));
        if (_differentiate && !ops.TensorAxis.Active)
        {
            var whole = ops.Kernels.CrossEntropy(logits, local, scale, x.dtype);
            return ((whole.LogSumExp - whole.Target).mul_(counted), whole.Gradient);
        }
        var (logSumExp, target) = part.Reduce(ops.Kernels.LossStatistics(logits, local));
        return (
            (logSumExp - target).mul_(counted),
            _differentiate ? ops.Kernels.LossGradient(logits, local, logSumExp, scale, x.dtype) : logits
        );
    }
}
