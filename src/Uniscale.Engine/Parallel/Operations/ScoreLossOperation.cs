using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// One number for each token, x·w, summed for each answer over all ranks that hold parts of the sequence, and the loss of the answers. Under sequence parallelism a
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
        var answers = context.Answers ?? throw new InvalidOperationException("The head is asked for scores, but the microbatch has no answers.");
        Tensor x = inputs[0], weight = inputs[1];
        var rows = x.reshape(-1, x.size(2)).to(float32);
        var numbers = ops.PartOfSequence(answers.Numbers).reshape(-1);
        var values = rows.matmul(weight.to(float32).view(-1, 1)).view(-1);
        var sums = AnswerSums.Of(ops, values, numbers, answers.Count, ops.SequenceParallel);
        var (loss, gradient) = answers.Judge(sums, speaks: ops.ContextAxis.Rank == 0);
        if (_differentiate)
        {
            var coefficients = context.LossScale.Multiply(AnswerSums.Spread(gradient, numbers));
            saved.Add(coefficients.view(-1, 1).mul(weight.to(float32).view(1, -1)).view(x.shape).to(x.dtype));
            var dw = coefficients.view(1, -1).matmul(rows);
            if (ops.SequenceParallel) dw = ops.TensorAxis.AllReduce(dw.contiguous()).Wait();
            if (_weightSink is { } sink) sink().Add(dw);
            else saved.Add(dw);
        }
        return [context.LossScale.Multiply(loss.to(float32))];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved) =>
        [saved[0] * gradients[0].to(saved[0].dtype), saved.Count > 1 ? (saved[1] * gradients[0]).to(saved[0].dtype) : null];
}
