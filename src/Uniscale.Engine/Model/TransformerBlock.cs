using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>One pre-norm decoder layer: x + attention(norm(x)), then x + feedforward(norm(x)).</summary>
public sealed class TransformerBlock : Block
{
    private readonly ModelSection model;
    private readonly RotaryFrequencies? rotary;
    private readonly bool normBias;

    /// <param name="model">Shape with every size resolved (<see cref="Programs.ModelShapes.Resolve"/>).</param>
    /// <param name="layer">Number of the layer, from 0.</param>
    /// <param name="rotary">Rotary frequencies, shared by all layers; null with learned positions.</param>
    internal TransformerBlock(ModelSection model, int layer, RotaryFrequencies? rotary)
    {
        this.model = model;
        this.rotary = rotary;
        normBias = model.Norm == NormKind.LayerNorm;
        Name = $"layers.{layer}";
        Parameters = [.. Specify()];
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> parameters, Tensor? input, MicrobatchContext context, IParallelOps ops)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        var reader = new ParameterReader(parameters);
        var (normalised, residual) = Norm(input, ref reader, ops);
        var x = Attention(normalised, residual, ref reader, context, ops);
        (normalised, residual) = Norm(x, ref reader, ops);
        return FeedForward(normalised, residual, ref reader, ops).MoveToOuterDisposeScope();
    }

    private Tensor Attention(Tensor x, Tensor residual, ref ParameterReader reader, MicrobatchContext context, IParallelOps ops)
    {
        var wq = Column(ref reader, model.QkvBias);
        var wk = Column(ref reader, model.QkvBias) with { KeyValue = true };
        var wv = Column(ref reader, model.QkvBias) with { KeyValue = true };
        var projected = ops.ColumnLinear(x, wq, wk, wv);
        var q = Heads(projected[0], ops.LocalHeads(model.Heads));
        var k = Heads(projected[1], ops.LocalKvHeads(model.KvHeads));
        var v = Heads(projected[2], ops.LocalKvHeads(model.KvHeads));
        if (rotary is not null)
            (q, k) = ops.Rotary(q, k, rotary.WithBase(context.RopeBase), context);
        var attended = ops.Attention(q, k, v, context).flatten(2);
        return ops.RowLinear(attended, reader.Next(), reader.NextIf(model.AttentionOutputBias), residual);
    }

    private Tensor FeedForward(Tensor x, Tensor residual, ref ParameterReader reader, IParallelOps ops)
    {
        var w1 = Column(ref reader, model.FfnBias);
        if (model.Activation == ActivationKind.Gelu)
            return ops.GeluFeedForward(x, w1, Column(ref reader, model.FfnBias), residual);
        var projected = ops.ColumnLinear(x, w1, Column(ref reader, model.FfnBias));
        var activated = ops.Swiglu(projected[0], projected[1]);
        return ops.RowLinear(activated, reader.Next(), reader.NextIf(model.FfnBias), residual);
    }

    private (Tensor Normalised, Tensor Residual) Norm(Tensor x, ref ParameterReader reader, IParallelOps ops) =>
        ops.NormBranch(model.Norm, x, reader.Next(), reader.NextIf(normBias), model.NormEpsilon);

    private static ColumnWeights Column(ref ParameterReader reader, bool bias) => new(reader.Next(), reader.NextIf(bias));

    private Tensor Heads(Tensor x, int count) => x.unflatten(2, count, model.HeadDim);

    private IEnumerable<ParameterSpec> Specify()
    {
        double std = model.InitStd;
        double residualStd = std / Math.Sqrt(2.0 * model.Layers);
        long query = (long)model.Heads * model.HeadDim;
        long keyValue = (long)model.KvHeads * model.HeadDim;
        var gate = model.Activation == ActivationKind.Swiglu
            ? Model.Parameters.Linear($"{Name}.ffn.w3", model.Ffn, model.Hidden, std, model.FfnBias)
            : [];
        return
        [
            .. Model.Parameters.Norm(model, $"{Name}.attention_norm"),
            .. Model.Parameters.Linear($"{Name}.attention.wq", query, model.Hidden, std, model.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wk", keyValue, model.Hidden, std, model.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wv", keyValue, model.Hidden, std, model.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wo", model.Hidden, query, residualStd, model.AttentionOutputBias),
            .. Model.Parameters.Norm(model, $"{Name}.ffn_norm"),
            .. Model.Parameters.Linear($"{Name}.ffn.w1", model.Ffn, model.Hidden, std, model.FfnBias),
            .. gate,
            .. Model.Parameters.Linear($"{Name}.ffn.w2", model.Hidden, model.Ffn, residualStd, model.FfnBias),
        ];
    }
}
