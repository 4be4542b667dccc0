using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>One pre-norm decoder layer: x + attention(norm(x)), then x + feedforward(norm(x)).</summary>
public sealed class TransformerBlock : Block
{
    private readonly RotaryFrequencies? _rotary;

    /// <param name="model">Shape with every size resolved (<see cref="Programs.ModelShapes.Resolve"/>).</param>
    /// <param name="layer">Number of the layer, from 0.</param>
    /// <param name="rotary">Rotary frequencies, shared by all layers; null with learned positions.</param>
    internal TransformerBlock(ModelSection model, int layer, RotaryFrequencies? rotary)
    {
        Shape = model;
        _rotary = rotary;
        Name = $"layers.{layer}";
        Parameters = [.. Specify()];
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <summary>Shape with every size resolved.</summary>
    internal ModelSection Shape { get; }

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> parameters, Tensor? input, MicrobatchContext context, IParallelOps ops)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        var weights = Weights(parameters);
        var (normalised, residual) = Norm(input, weights.AttentionNorm, ops);
        var x = Attention(normalised, residual, weights, context, ops);
        (normalised, residual) = Norm(x, weights.FfnNorm, ops);
        return FeedForward(normalised, residual, weights, ops).MoveToOuterDisposeScope();
    }

    /// <summary>The parameters, given in the order of <see cref="Parameters"/>, by what they do.</summary>
    internal LayerWeights Weights(IReadOnlyList<Tensor> parameters) => LayerWeights.Of(Shape, parameters);

    /// <summary>Rotary frequencies under the base of a phase; null with learned positions.</summary>
    internal RotaryFrequencies? Rotary(double? ropeBase) => _rotary?.WithBase(ropeBase);

    private Tensor Attention(Tensor x, Tensor residual, in LayerWeights weights, MicrobatchContext context, IParallelOps ops)
    {
        var projected = ops.ColumnLinear(x, weights.Query, weights.Key, weights.Value);
        var q = Heads(projected[0], ops.LocalHeads(Shape.Heads));
        var k = Heads(projected[1], ops.LocalKvHeads(Shape.KvHeads));
        var v = Heads(projected[2], ops.LocalKvHeads(Shape.KvHeads));
        if (Rotary(context.RopeBase) is { } rotary)
            (q, k) = ops.Rotary(q, k, rotary, context);
        var attended = ops.Attention(q, k, v, context).flatten(2);
        return ops.RowLinear(attended, weights.Output.Weight, weights.Output.Bias, residual);
    }

    private static Tensor FeedForward(Tensor x, Tensor residual, in LayerWeights weights, IParallelOps ops)
    {
        if (weights.Gate is not { } gate)
            return ops.GeluFeedForward(x, weights.Up, weights.Down, residual);
        var projected = ops.ColumnLinear(x, gate, weights.Up);
        var activated = ops.Swiglu(projected[0], projected[1]);
        return ops.RowLinear(activated, weights.Down.Weight, weights.Down.Bias, residual);
    }

    private (Tensor Normalised, Tensor Residual) Norm(Tensor x, NormWeights weights, IParallelOps ops) =>
        ops.NormBranch(Shape.Norm, x, weights.Weight, weights.Bias, Shape.NormEpsilon);

    private Tensor Heads(Tensor x, int count) => x.unflatten(2, count, Shape.HeadDim);

    private IEnumerable<ParameterSpec> Specify()
    {
        double std = Shape.InitStd;
        double residualStd = std / Math.Sqrt(2.0 * Shape.Layers);
        long query = (long)Shape.Heads * Shape.HeadDim;
        long keyValue = (long)Shape.KvHeads * Shape.HeadDim;
        var gate =
            Shape.Activation == ActivationKind.Swiglu
                ? Model.Parameters.Linear($"{Name}.ffn.w3", Shape.Ffn, Shape.Hidden, std, Shape.FfnBias)
                : [];
        return
        [
            .. Model.Parameters.Norm(Shape, $"{Name}.attention_norm"),
            .. Model.Parameters.Linear($"{Name}.attention.wq", query, Shape.Hidden, std, Shape.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wk", keyValue, Shape.Hidden, std, Shape.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wv", keyValue, Shape.Hidden, std, Shape.QkvBias),
            .. Model.Parameters.Linear($"{Name}.attention.wo", Shape.Hidden, query, residualStd, Shape.AttentionOutputBias),
            .. Model.Parameters.Norm(Shape, $"{Name}.ffn_norm"),
            .. Model.Parameters.Linear($"{Name}.ffn.w1", Shape.Ffn, Shape.Hidden, std, Shape.FfnBias),
            .. gate,
            .. Model.Parameters.Linear($"{Name}.ffn.w2", Shape.Hidden, Shape.Ffn, residualStd, Shape.FfnBias),
        ];
    }
}
