using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>Attention of this rank's queries over the whole sequence, however it lies on the context axis.</summary>
internal interface IAttentionLayout
{
    /// <summary>As <see cref="IParallelOps.Attention"/>.</summary>
    Tensor Apply(Tensor q, Tensor k, Tensor v, MicrobatchContext context);
}

/// <summary>The whole sequence is here.</summary>
internal sealed class LocalAttention(ParallelOps ops) : IAttentionLayout
{
    public Tensor Apply(Tensor q, Tensor k, Tensor v, MicrobatchContext context) => ops.AttendHere(q, k, v, context.Documents);
}

/// <summary>
/// Causal attention on one device. Kept for backward: q, k, v, the output (which the projection behind it keeps anyway), its log-sum-exp
/// and, without selective recomputation, the probabilities.
/// </summary>
internal sealed class AttentionOperation(ParallelOps ops, Tensor? documents) : Operation
{
    private readonly bool _masked = documents is not null;

    public Tensor Apply(Tensor q, Tensor k, Tensor v) => documents is null ? Record(q, k, v)[0] : Record(q, k, v, documents)[0];

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var mask = Mask(inputs);
        var result = ops.Kernels.Attention(inputs[0], inputs[1], inputs[2], mask, !ops.Selective);
        for (int i = 0; i < inputs.Count; i++)
            saved.Add(inputs[i]);
        saved.Add(result.Output.alias());
        saved.Add(result.LogSumExp);
        saved.AddRange(result.Probabilities);
        return [result.Output];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        int next = _masked ? 4 : 3;
        var delta = ops.Kernels.AttentionDelta(gradients[0], saved[next]);
        var (q, k, v) = ops.Kernels.AttentionBackward(
            gradients[0],
            saved[0],
            saved[1],
            saved[2],
            saved[next + 1],
            delta,
            Mask(saved),
            From(saved, next + 2),
            saved[0].dtype
        );
        return _masked ? [q, k, v, null] : [q, k, v];
    }

    private static Tensor[] From(IReadOnlyList<Tensor> saved, int first) => saved.Count > first ? [.. saved.Skip(first)] : [];

    /// <summary>Causal, within a document; the documents come fourth among the inputs and the saved tensors.</summary>
    private AttentionMask Mask(IReadOnlyList<Tensor> tensors) =>
        _masked ? new AttentionMask(Causal: true, 0, tensors[3], tensors[3]) : new AttentionMask(Causal: true);
}
