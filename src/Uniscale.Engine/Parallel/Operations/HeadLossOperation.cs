using Uniscale.Collectives;
using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// Output projection and summed cross-entropy over a vocabulary that is split over the tensor axis. Logits exist for a chunk of tokens at
/// a time; maximum and sum of exponentials are reduced over the axis, logits never leave their rank. Gradients are computed while
/// the logits are there, so that they are not computed twice.
/// </summary>
internal sealed class HeadLossOperation(ParallelOps ops, long vocabulary, MicrobatchContext context) : Operation
{
    /// <summary>Logits that exist at one time on a rank; on a device as many as keep it busy.</summary>
    private const long HostLogitBudget = 16 << 20, DeviceLogitBudget = 256 << 20;

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
        var targets = (context.Targets ?? throw new InvalidOperationException("The head is asked for a loss, but the microbatch has no targets.")).reshape(-1);
        long first = ops.TensorAxis.Rank * weight.size(0);
        long entries = Math.Min(weight.size(0), vocabulary - first);
        var part = new VocabularyPart(weight.narrow(0, 0, entries), first, entries);

        var loss = zeros([], float32, x.device);
        var dx = _differentiate ? TensorMemory.EmptyLike(rows) : null;
        var dw = _differentiate ? WeightSum(weight, entries) : default;
        long chunk = EqualParts(rows.size(0), Math.Clamp((x.device_type == TorchSharp.DeviceType.CPU ? HostLogitBudget : DeviceLogitBudget) / entries, 1, rows.size(0)));
        var logits = TensorMemory.Empty([chunk, entries], float32, x.device);
        var told = context.TokenLosses?.view(-1);
        for (long start = 0; start < rows.size(0); start += chunk)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(chunk, rows.size(0) - start);
            var (losses, gradient) = Chunk(rows.narrow(0, start, count), targets.narrow(0, start, count), part, logits.narrow(0, 0, count));
            loss.add_(losses.sum(), Scalars.One);
            told?.narrow(0, start, count).copy_(losses);
            if (dx is null)
                continue;
            ops.Kernels.LinearInputGradient(gradient, part.Weight, dx.narrow(0, start, count), add: false);
            var sum = new GradientSum(dw.Values.narrow(0, 0, entries), dw.IsEmpty && start == 0);
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

    /// <summary>The largest of as few nearly equal parts as a limit allows: a GEMM wastes less on them than on full parts and a rest.</summary>
    private static long EqualParts(long count, long limit)
    {
        long parts = (count + limit - 1) / limit;
        return (count + parts - 1) / parts;
    }

    /// <summary>Where the weight gradient is summed. The padding of the vocabulary has none.</summary>
    private GradientSum WeightSum(Tensor weight, long entries)
    {
        if (_weightSink is null)
            return zeros(weight.shape, float32, weight.device);
        var sum = _weightSink();
        if (sum.IsEmpty)
            sum.Values.narrow(0, entries, sum.Values.size(0) - entries).zero_();
        return sum;
    }

    /// <summary>Losses of a chunk's tokens, 0 where none is taken, and the gradient of its logits, which are overwritten.</summary>
    private (Tensor Losses, Tensor Gradient) Chunk(Tensor x, Tensor targets, VocabularyPart part, Tensor logits)
    {
        ops.Kernels.Logits(x, part.Weight, logits);
        var local = targets.sub(Scalars.Of(part.First));
        local = local.masked_fill(local.lt(Scalars.Of(0)).bitwise_or(local.ge(Scalars.Of(part.Entries))), Scalars.Of(-1));
        var counted = targets.ne(Scalars.Of(MicrobatchContext.Ignored));
        var scale = context.LossScale.Multiply(counted.to(float32));
        if (_differentiate && !ops.TensorAxis.Active)
        {
            var whole = ops.Kernels.CrossEntropy(logits, local, scale, x.dtype);
            return ((whole.LogSumExp - whole.Target).mul_(counted), whole.Gradient);
        }
        var (logSumExp, target) = Reduce(ops.Kernels.LossStatistics(logits, local));
        return ((logSumExp - target).mul_(counted), _differentiate ? ops.Kernels.LossGradient(logits, local, logSumExp, scale, x.dtype) : logits);
    }

    /// <summary>Joins the statistics of the ranks' parts: log-sum-exp and logit of the target, fp32 [tokens].</summary>
    private (Tensor LogSumExp, Tensor Target) Reduce(LossStatistics part)
    {
        if (!ops.TensorAxis.Active)
            return (part.Sum.log().add_(part.Maximum, Scalars.One), part.Target);
        var maximum = ops.TensorAxis.AllReduce(part.Maximum.clone(), ReduceOp.Max).Wait();
        var sums = stack([part.Sum * (part.Maximum - maximum).exp_(), part.Target]);
        ops.TensorAxis.AllReduce(sums).Wait();
        return (sums[0].log().add_(maximum, Scalars.One), sums[1]);
    }


    /// <summary>The entries [First, First + Entries) of the vocabulary that this rank holds, without padding.</summary>
    private readonly record struct VocabularyPart(Tensor Weight, long First, long Entries);
}
