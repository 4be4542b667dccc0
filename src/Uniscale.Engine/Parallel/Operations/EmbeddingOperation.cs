using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// Rows of an embedding matrix of which every rank holds a range of the vocabulary: a rank contributes zero for tokens of others, and the
/// sum over the tensor axis is the residual. Learned positions are added to the sum.
/// </summary>
internal sealed class EmbeddingOperation(ParallelOps ops, long vocabulary, MicrobatchContext context) : Operation
{
    private Func<GradientSum>? _tokenSink;
    private Func<GradientSum>? _positionSink;
    private long[]? _positionShape;
    private long[] _tokenShape = [];

    public Tensor Apply(Tensor weight, Tensor? positions)
    {
        _tokenSink = ops.Sink.Find(weight);
        _tokenShape = weight.shape;
        if (positions is null)
            return Record(weight)[0];
        _positionSink = ops.Sink.Find(positions);
        _positionShape = positions.shape;
        return Record(weight, positions)[0];
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var (first, entries) = Part(inputs[0].size(0));
        var residual = ops.ReduceResidual(ops.Kernels.Embedding(context.Tokens, inputs[0], first, entries)).Wait();
        if (inputs.Count > 1)
            residual.add_(LearnedPositions(inputs[1], residual.size(1)), Scalars.One);
        return [residual];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gradient = ops.GatherResidual(gradients[0]).Wait().contiguous();
        var (first, entries) = Part(_tokenShape[0]);
        var dTokens = Scatter(_tokenSink, _tokenShape, context.Tokens, gradient, first, entries);
        if (_positionShape is null)
            return [dTokens];

        var positions = ops.Positions(context).expand(gradient.size(0), gradient.size(1)).contiguous();
        return [dTokens, Scatter(_positionSink, _positionShape, positions, gradient, 0, _positionShape[0])];
    }

    /// <summary>The range of the vocabulary that this rank holds in so many rows, without padding.</summary>
    private (long First, long Entries) Part(long rows)
    {
        long first = ops.TensorAxis.Rank * rows;
        return (first, Math.Min(rows, vocabulary - first));
    }

    /// <summary>Position vectors of this rank's part of the residual, [batch or 1, length, hidden].</summary>
    private Tensor LearnedPositions(Tensor table, long length)
    {
        var positions = ops.Positions(context);
        if (ops.SequenceParallel)
            positions = positions.narrow(1, ops.TensorAxis.Rank * length, length);
        return ops.Kernels.Embedding(positions.contiguous(), table, 0, table.size(0));
    }

    private Tensor? Scatter(Func<GradientSum>? sink, long[] shape, Tensor ids, Tensor gradient, long first, long entries)
    {
        var target = sink is null ? zeros(shape, float32, gradient.device) : sink().Begun();
        ops.Kernels.AccumulateEmbeddingGradient(target, ids, gradient, first, entries);
        return sink is null ? target.to(gradient.dtype) : null;
    }
}
