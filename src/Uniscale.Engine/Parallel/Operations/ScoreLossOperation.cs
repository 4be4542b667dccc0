using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// One number for each token, x·w, and the loss of answers: of sums over all ranks that hold parts of the sequence where they are compared,
/// of each token where they were drawn. Under sequence parallelism a
/// rank projects its part of the tokens only. Gradients are computed in forward, as for <see cref="HeadLossOperation"/>.
/// </summary>
internal sealed class ScoreLossOperation(ParallelOps ops, MicrobatchContext context) : Operation
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
        Tensor x = inputs[0],
            weight = inputs[1];
        var rows = x.reshape(-1, x.size(2)).to(float32);
        var values = rows.matmul(weight.to(float32).view(-1, 1)).view(-1);
        var (loss, gradient) = Judge(values, x);
        if (_differentiate)
        {
            var coefficients = context.LossScale.Multiply(gradient);
            saved.Add(coefficients.view(-1, 1).mul(weight.to(float32).view(1, -1)).view(x.shape).to(x.dtype));
            var dw = coefficients.view(1, -1).matmul(rows);
            if (ops.SequenceParallel)
                dw = ops.TensorAxis.AllReduce(dw.contiguous()).Wait();
            if (_weightSink is { } sink)
                sink().Add(dw);
            else
                saved.Add(dw);
        }
        return [context.LossScale.Multiply(loss.to(float32))];
    }

    /// <summary>Loss of what was found, fp64 [], and its gradient by each of this rank's numbers, fp32 [tokens].</summary>
    private (Tensor Loss, Tensor Gradient) Judge(Tensor values, Tensor x)
    {
        if (context.Rollouts is { } rollouts)
        {
            // Each rank of the tensor group judges all tokens, as it does where the head gives logits, and one speaks for them.
            var whole = ops.SequenceParallel
                ? ops.TensorAxis.GatherSequence(values.view(x.size(0), x.size(1), 1)).Wait().reshape(-1)
                : values;
            var (sum, each) = rollouts.Judge(whole);
            return (sum, ops.PartOfSequence(each.view(rollouts.Columns.shape[1..])).reshape(-1).to(float32));
        }
        var answers =
            context.Answers ?? throw new InvalidOperationException("The head is asked for scores, but the microbatch has no answers.");
        var numbers = ops.PartOfSequence(answers.Numbers).reshape(-1);
        var sums = AnswerSums.Of(ops, values, numbers, answers.Count, ops.SequenceParallel);
        var (loss, gradient) = answers.Judge(sums, speaks: ops.ContextAxis.Rank == 0);
        return (loss, AnswerSums.Spread(gradient, numbers));
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved) =>
        [saved[0] * gradients[0].to(saved[0].dtype), saved.Count > 1 ? (saved[1] * gradients[0]).to(saved[0].dtype) : null];
}
