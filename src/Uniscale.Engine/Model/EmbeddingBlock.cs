using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>Token embedding and, where configured, learned positions.</summary>
public sealed class EmbeddingBlock : Block
{
    private readonly long _vocabulary;
    private readonly bool _positions;

    internal EmbeddingBlock(ModelSection model, long vocabulary)
    {
        this._vocabulary = vocabulary;
        _positions = model.Positions == PositionKind.Learned;
        Parameters = _positions
            ? [Model.Parameters.Tokens(model, vocabulary), Model.Parameters.Positions(model)]
            : [Model.Parameters.Tokens(model, vocabulary)];
    }

    /// <inheritdoc/>
    public override string Name => "embedding";

    /// <inheritdoc/>
    public override IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> parameters, Tensor? input, MicrobatchContext context, IParallelOps ops) =>
        ops.Embedding(parameters[0], _positions ? parameters[1] : null, _vocabulary, context);
}
