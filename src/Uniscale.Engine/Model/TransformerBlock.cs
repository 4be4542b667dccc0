using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>One pre-norm decoder layer: x + attention(norm(x)), then x + feedforward(norm(x)).</summary>
public sealed class TransformerBlock : Block
{
    private readonly ModelSection _model;
    private readonly RotaryFrequencies? _rotary;
    private readonly bool _normBias;

    /// <param name="model">Shape with every size resolved (<see cref="Programs.ModelShapes.Resolve"/>).</param>
    /// <param name="layer">Number of the layer, from 0.</param>
    /// <param name="rotary">Rotary frequencies, shared by all layers; null with learned positions.</param>
    internal TransformerBlock(ModelSection model, int layer, RotaryFrequencies? rotary)
    {
        this._model = model;
        this._rotary = rotary;
        _normBias = model.Norm == NormKind.LayerNorm;
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
        var wq = Column(ref reader, _model.QkvBias);
        var wk = Column(ref reader, _model.QkvBias) with { KeyValue = true };
        var wv = Column(ref reader, _model.QkvBias) with { KeyValue = true };
        var projected = ops.ColumnLinear(x, wq, wk, wv);
        var q = Heads(projected[0], ops.LocalHeads(_model.Heads));
        var k = Heads(projected[1], ops.LocalKvHeads(_model.KvHeads));
        var v = Heads(projected[2], ops.LocalKvHeads(_model.KvHeads));
        if (_rotary is not null)
            (q, k) = ops.Rotary(q, k, _rotary.WithBase(context.RopeBase), context);
        var attended = ops.Attention(q, k, v, context).flatten(2);
        return ops.RowLinear(attended, reader.Next(), reader.NextIf(_model.AttentionOutputBias), residual);
    }

    private Tensor FeedForward(Tensor x, Tensor residual, ref ParameterReader reader, IParallelOps ops)
    {
        var w1 = Column(ref reader, _model.FfnBias);
        if (_model.Activation == ActivationKind.Gelu)
            return ops.GeluFeedForward(x, w1, Column(ref reader, _model.FfnBias), residual);
        var projected = ops.ColumnLinear(x, w1, Column(ref reader, _model.FfnBias));
        var activated = ops.Swiglu(projected[0], projected[1]);
        return ops.RowLinear(activated, reader.Next(), reader.NextIf(_model.FfnBias), residual);
    }

    private (Tensor Normalised, Tensor Residual) Norm(Tensor x, ref ParameterReader reader, IParallelOps ops) =>
        ops.NormBranch(_model.Norm, x, reader.Next(), reader.NextIf(_normBias), _model.NormEpsilon);

    private static ColumnWeights Column(ref ParameterReader reader, bool bias) => new(reader.Next(), reader.NextIf(bias));

    private Tensor Heads(Tensor x, int count) => x.unflatten(2, count, _model.HeadDim);

    private IEnumerable<ParameterSpec> Specify()
    {
        double std = _model.InitStd;
        double residualStd = std / Math.Sqrt(2.0 * _model.Layers);
        long query = (long)_model.Heads * _model.HeadDim;
        long keyValue = (long)_model.KvHeads * _model.HeadDim;
        var gate =
            _model.Activation == ActivationKind.Swiglu
                ? Model.Parameters.Linear($"{Name}.ffn.w3", _model.Ffn, _model.Hidden, std, _model.FfnBias)
                : [];
        return
        [
            .. Model.Parameters.Norm(_model, $"{Name}.attention_norm"),
            .. Model.Parameters.Linear($"{Name}.attention.wq", query, _model.Hidden, std, _model.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wk", keyValue, _model.Hidden, std, _model.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wv", keyValue, _model.Hidden, std, _model.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wo", _model.Hidden, query, residualStd, _model.AttentionOutputBias),
            .. Model.Parameters.Norm(_model, $"{Name}.ffn_norm"),
            .. Model.Parameters.Linear($"{Name}.ffn.w1", _model.Ffn, _model.Hidden, std, _model.FfnBias),
            .. gate,
            .. Model.Parameters.Linear($"{Name}.ffn.w2", _model.Hidden, _model.Ffn, residualStd, _model.FfnBias),
        ];
    }
}
