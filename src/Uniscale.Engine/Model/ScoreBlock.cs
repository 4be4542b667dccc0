using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>Final normalisation and a projection to one number for each token: the head of a reward model.</summary>
public sealed class ScoreBlock : Block
{
    private readonly ModelSection _model;

    internal ScoreBlock(ModelSection model)
    {
        _model = model;
        Parameters = [.. Model.Parameters.Norm(model, "head.norm"), Model.Parameters.Score(model)];
    }

    /// <inheritdoc/>
    public override string Name => "head";

    /// <inheritdoc/>
    public override IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> parameters, Tensor? input, MicrobatchContext context, IParallelOps ops)
    {
        using var scope = NewDisposeScope();
        ArgumentNullException.ThrowIfNull(input);
        var x = ops.Norm(_model.Norm, input, parameters[0], _model.Norm == NormKind.LayerNorm ? parameters[1] : null, _model.NormEpsilon);
        return ops.ScoreLoss(x, parameters[^1], context).MoveToOuterDisposeScope();
    }
}
