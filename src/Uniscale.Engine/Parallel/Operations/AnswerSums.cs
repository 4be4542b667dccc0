using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>Sums over the tokens of answers, and back from answers to tokens.</summary>
internal static class AnswerSums
{
    /// <summary>Sums of the values at the tokens of each answer over all ranks that hold parts of it, fp64 [count].</summary>
    /// <param name="ops">The layout.</param>
    /// <param name="values">fp32 [tokens].</param>
    /// <param name="numbers">int64 [tokens]: the answer of each; −1: none.</param>
    /// <param name="count">Answers.</param>
    /// <param name="overTensor">Ranks of the tensor axis have other tokens.</param>
    public static Tensor Of(ParallelOps ops, Tensor values, Tensor numbers, int count, bool overTensor)
    {
        var sums = zeros([count], float64, values.device);
        var counted = numbers.ge(Scalars.Of(0));
        sums.index_add_(0, numbers.clamp_min(Scalars.Of(0)), where(counted, values, zeros_like(values)).to(float64), Scalars.One);
        if (overTensor)
            sums = ops.TensorAxis.AllReduce(sums).Wait();
        return ops.ContextAxis.AllReduce(sums).Wait();
    }

    /// <summary>The number of each token's answer, fp32 [tokens]; 0 where it has none.</summary>
    public static Tensor Spread(Tensor ofAnswers, Tensor numbers) =>
        ofAnswers.index_select(0, numbers.clamp_min(Scalars.Of(0))).mul(numbers.ge(Scalars.Of(0)).to(float64)).to(float32);
}
