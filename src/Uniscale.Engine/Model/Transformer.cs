using Uniscale.Configuration;
using Uniscale.Programs;

namespace Uniscale.Engine.Model;

/// <summary>Builds the row of blocks that a model is.</summary>
public static class Transformer
{
    /// <summary>Embedding, transformer blocks, head: <c>Layers + 2</c> blocks, in order.</summary>
    /// <param name="model">Shape of the model; sizes left at 0 take their defaults.</param>
    /// <param name="vocabulary">Vocabulary entries, without padding.</param>
    public static IReadOnlyList<Block> Blocks(ModelSection model, long vocabulary)
    {
        model = ModelShapes.Resolve(model);
        var rotary =
            model.Positions == PositionKind.Rope
                ? new RotaryFrequencies(model.HeadDim, model.RopeBase, RotaryStretch.Of(model), model.LogNContext)
                : null;
        return
        [
            new EmbeddingBlock(model, vocabulary),
            .. Enumerable.Range(0, model.Layers).Select(layer => new TransformerBlock(model, layer, rotary)),
            model.Head == HeadKind.Score ? new ScoreBlock(model) : new HeadBlock(model, vocabulary),
        ];
    }
}
