using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// Output projection and log-probabilities of the targets, and the loss of answers: of sums over their tokens where answers are compared,
/// of each token where they were
/// drawn (at their temperature). What a token's gradient is multiplied with is known only when all log-probabilities are, so the logits are
/// computed twice where
/// they do not fit into one chunk.
/// </summary>
internal sealed class AnswerLossOperation(ParallelOps ops, long vocabulary, MicrobatchContext context) : Operation
{
    private readonly bool _differentiate = is_grad_enabled();
    private readonly double _temperature = context.Rollouts?.Temperature ?? 1;
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
        var targets = context.Targets!.reshape(-1);
        var part = new VocabularyPart(ops, weight, vocabulary, rows.size(0));

        var logSumExp = zeros([rows.size(0)], float32, x.device);
        var probabilities = zeros([rows.size(0)], float32, x.device);
        ForEachChunk(
            rows,
            part,
            (start, count) =>
            {
                var (sum, target) = part.Reduce(
                    ops.Kernels.LossStatistics(LogitsOf(part, rows.narrow(0, start, count)), part.Local(targets.narrow(0, start, count)))
                );
                logSumExp.narrow(0, start, count).copy_(sum);
                probabilities.narrow(0, start, count).copy_(target - sum);
            }
        );
        var (loss, gradient) = Judge(probabilities);
        if (_differentiate)
        {
            // The gradient of −log p is what the kernels compute, by logits that were divided by the temperature.
            var scale = context.LossScale.Multiply(gradient.neg_());
            if (_temperature != 1)
                scale = scale * Scalars.Of(1 / _temperature);
            saved.AddRange(
                Gradients(rows, targets, weight, part, logSumExp, scale).Select((tensor, i) => i == 0 ? tensor.view(x.shape) : tensor)
            );
        }
        return [context.LossScale.Multiply(loss.to(float32))];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var dx = ops.ReduceResidual(saved[0] * gradients[0].to(saved[0].dtype)).Wait();
        return [dx, saved.Count > 1 ? (saved[1] * gradients[0]).to(dx.dtype) : null];
    }

    /// <summary>Loss of what was found, fp64 [], and its gradient by each log-probability, fp32 [tokens].</summary>
    private (Tensor Loss, Tensor Gradient) Judge(Tensor probabilities)
    {
        if (context.Rollouts is { } rollouts)
        {
            var (sum, each) = rollouts.Judge(probabilities);
            return (sum, each.to(float32));
        }
        var answers =
            context.Answers
            ?? throw new InvalidOperationException("The head is asked for the loss of answers, but the microbatch has none.");
        var numbers = answers.Numbers.reshape(-1);
        var sums = AnswerSums.Of(ops, probabilities, numbers, answers.Count, overTensor: false);
        var (loss, gradient) = answers.Judge(sums, speaks: ops.ContextAxis.Rank == 0);
        return (loss, AnswerSums.Spread(gradient, numbers));
    }

    private Tensor LogitsOf(VocabularyPart part, Tensor rows)
    {
        var logits = part.LogitsOf(rows);
        return _temperature == 1 ? logits : logits.mul_(Scalars.Of(1 / _temperature));
    }

    /// <summary>Gradient of the tokens and, where the weight's is not summed elsewhere, of the weight.</summary>
    private List<Tensor> Gradients(Tensor rows, Tensor targets, Tensor weight, VocabularyPart part, Tensor logSumExp, Tensor scale)
    {
        var dx = TensorMemory.EmptyLike(rows);
        var dw = part.WeightSum(_weightSink, weight);
        bool isThere = part.ChunkTokens == rows.size(0);
        ForEachChunk(
            rows,
            part,
            (start, count) =>
            {
                var x = rows.narrow(0, start, count);
                var logits = isThere ? part.Logits(count) : LogitsOf(part, x);
                var gradient = ops.Kernels.LossGradient(
                    logits,
                    part.Local(targets.narrow(0, start, count)),
                    logSumExp.narrow(0, start, count),
                    scale.narrow(0, start, count),
                    x.dtype
                );
                ops.Kernels.LinearInputGradient(gradient, part.Weight, dx.narrow(0, start, count), add: false);
                ops.Kernels.AccumulateWeightGradient(
                    new GradientSum(dw.Values.narrow(0, 0, part.Entries), dw.IsEmpty && start == 0),
                    gradient,
                    x
                );
            }
        );
        return _weightSink is null ? [dx, dw.Values] : [dx];
    }

    private static void ForEachChunk(Tensor rows, VocabularyPart part, Action<long, long> body)
    {
        for (long start = 0; start < rows.size(0); start += part.ChunkTokens)
        {
            using var scope = NewDisposeScope();
            body(start, Math.Min(part.ChunkTokens, rows.size(0) - start));
        }
    }
}
