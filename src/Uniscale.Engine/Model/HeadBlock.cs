using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Final normalisation, output projection and cross-entropy, or the loss of answers where the microbatch compares them or has drawn them.
/// </summary>
public sealed class HeadBlock : Block
{
    private readonly ModelSection _model;
    private readonly long _vocabulary;

    internal HeadBlock(ModelSection model, long vocabulary)
    {
        this._model = model;
        this._vocabulary = vocabulary;
        Parameters = [.. Model.Parameters.Norm(model, "head.norm"), Model.Parameters.Output(model, vocabulary)];
    }

    /// <inheritdoc/>
    public override string Name => "head";

    /// <inheritdoc/>
    public override IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> parameters, Tensor? input, MicrobatchContext context, IParallelOps ops)
    {
        using var scope = NewDisposeScope();
        var x = Normalise(parameters, input, ops);
        var loss = context is { Answers: null, Rollouts: null }
            ? ops.HeadLoss(x, parameters[^1], _vocabulary, context)
            : ops.AnswerLoss(x, parameters[^1], _vocabulary, context);
        return loss.MoveToOuterDisposeScope();
    }

    /// <summary>Logits after the head instead of its loss: fp32 [batch, sequence, vocabulary], not differentiable.</summary>
    /// <param name="parameters">As for <see cref="Forward"/>.</param>
    /// <param name="input">Output of the last transformer block, or the part of it whose logits are wanted, e.g. the last position.</param>
    /// <param name="ops">The primitives that carry out the layout.</param>
    public Tensor Logits(IReadOnlyList<Tensor> parameters, Tensor input, IParallelOps ops)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        return ops.Logits(Normalise(parameters, input, ops), parameters[^1], _vocabulary).MoveToOuterDisposeScope();
    }

    private Tensor Normalise(IReadOnlyList<Tensor> parameters, Tensor? input, IParallelOps ops)
    {
        ArgumentNullException.ThrowIfNull(input);
        var bias = _model.Norm == NormKind.LayerNorm ? parameters[1] : null;
        return ops.Norm(_model.Norm, input, parameters[0], bias, _model.NormEpsilon);
    }
}
