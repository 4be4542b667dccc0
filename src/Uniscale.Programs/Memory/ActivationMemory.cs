using Uniscale.Configuration;

namespace Uniscale.Programs.Memory;

/// <summary>
/// Bytes of activations that one rank keeps for one microbatch. The count follows Korthikanti et al., 2022, section 4 (34 bytes a token and
/// hidden unit in their fp16 layer, 32 without dropout), for any element size, grouped-query heads and gated feed-forward layers, and for
/// the
/// native kernels: tiled attention keeps one fp32 a row and head in place of the scores (Dao et al., 2022), the activation of a gated layer
/// keeps gate, up and
/// their product, and the head keeps the gradient of its input in place of logits (docs/decisions/0051). Plain kernels keep more.
/// Without sequence parallelism the inputs of norms and matrices (4 · hidden) are whole on each tensor rank; everything inside
/// attention and feed-forward is divided by the tensor axis; with it everything is. All is divided by the context axis.
/// </summary>
public sealed class ActivationMemory
{
    /// <summary>Logits that the head holds at a time.</summary>
    private const long LogitChunk = 16 << 20;

    private readonly StepSpecification _spec;
    private readonly double _tokens;
    private readonly int _tensor;
    private readonly int _residualSplit;
    private readonly ActivationTraits _traits;

    /// <summary>Formulas for one layout.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="traits">What other kernels than ours keep; by default nothing.</param>
    public ActivationMemory(StepSpecification spec, ActivationTraits traits = default)
    {
        (_spec, _traits) = (spec, traits);
        _tokens = (double)spec.MicrobatchSize * spec.Model.Context / spec.Mesh.Context;
        _tensor = spec.Mesh.Tensor;
        _residualSplit = spec.SequenceParallel ? spec.Mesh.Tensor : 1;
    }

    /// <summary>A tensor between two blocks: [microbatch, sequence, hidden] of this rank.</summary>
    public long BoundaryBytes => Bytes(Residual(1));

    /// <summary>What a backward pass without recomputation needs of the forward pass of a block, its input included.</summary>
    public long FullBytes(int block)
    {
        if (block == 0)
            return 0;
        return block == _spec.Model.Head ? Bytes(Residual(2)) : Bytes(Residual(4) + Inner(whole: true)) + CoreBytes + MaskBytes;
    }

    /// <summary>What is kept between the forward and the backward pass under the layout's recomputation. Selective recomputation drops
    /// normalised inputs and the output of the feed-forward activation, which cost next to nothing to compute again
    /// (docs/decisions/0054).</summary>
    public long KeptBytes(int block) =>
        _spec.RecomputationOf(block) switch
        {
            RecomputeKind.Selective when _traits.Scores => Bytes(Residual(4) + Inner(whole: true)) + MaskBytes,
            RecomputeKind.Selective => MaskBytes + Bytes(Residual(2) + Inner(whole: false)) + RowBytes,
            RecomputeKind.Block => BoundaryBytes,
            _ => FullBytes(block),
        };

    /// <summary>What exists besides while a block runs forward: the head's logits of a chunk of tokens, fp32.</summary>
    public long ForwardBytes(int block) =>
        block == _spec.Model.Head ? (long)Math.Min(_tokens * _spec.Model.HeadOutputs / _tensor, LogitChunk) * sizeof(float) : 0;

    /// <summary>
    /// What <see cref="Op.BackwardInput"/> leaves for <see cref="Op.BackwardWeight"/>: input and output gradient of each matrix.
    /// </summary>
    public long LeftBytes(int block)
    {
        if (!_spec.Model.IsTransformer(block))
            return 0;
        var m = _spec.Model;
        double heads = (double)m.Heads * m.HeadDim,
            keys = (double)m.KvHeads * m.HeadDim;
        double inputs = heads + m.Ffn;
        double gradients = heads + 2 * keys + (m.GatedFfn ? 2.0 : 1.0) * m.Ffn;
        return Bytes(Residual(4) + _tokens * (inputs + gradients) / _tensor);
    }

    /// <summary>Elements of <paramref name="count"/> tensors as wide as the residual stream.</summary>
    private double Residual(int count) => count * _tokens * _spec.Model.Hidden / _residualSplit;

    /// <summary>
    /// What attention keeps of its scores: tiles nothing but their rows; else softmax, and with dropout its mask (a byte) and output.
    /// </summary>
    private long CoreBytes
    {
        get
        {
            if (!_traits.Scores)
                return RowBytes;
            double scores = _tokens * _spec.Model.Context * _spec.Model.Heads / _tensor;
            return (long)(scores * (_traits.Dropout ? 2 * _spec.ActivationBytes + 1 : _spec.ActivationBytes));
        }
    }

    /// <summary>Masks of the two dropouts on the residual stream, a byte an element.</summary>
    private long MaskBytes => _traits.Dropout ? (long)Residual(2) : 0;

    /// <summary>Log of the sum of exponentials of each row of scores.</summary>
    private long RowBytes => (long)(_tokens * _spec.Model.Heads / _tensor) * sizeof(float);

    /// <summary>Elements inside attention and feed-forward: queries, keys, values, attention output; input of the activation (gate and up)
    /// and,
    /// where the whole is kept, its output.</summary>
    private double Inner(bool whole)
    {
        var m = _spec.Model;
        double attention = 2.0 * m.Heads * m.HeadDim + 2.0 * m.KvHeads * m.HeadDim;
        return _tokens * (attention + ((m.GatedFfn ? 2.0 : 1.0) + (whole ? 1 : 0)) * m.Ffn) / _tensor;
    }

    private long Bytes(double elements) => (long)(elements * _spec.ActivationBytes);
}
