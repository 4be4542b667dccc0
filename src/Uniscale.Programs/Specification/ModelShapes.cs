using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>From the section of a model to the sizes that programs, plans and blocks are made of.</summary>
public static class ModelShapes
{
    /// <summary>The section with key-value heads, head width and feed-forward width filled in.</summary>
    /// <exception cref="UserErrorException">Its sizes do not fit together.</exception>
    public static ModelSection Resolve(ModelSection model)
    {
        LayoutGate.CheckModel(model);
        return model with { KvHeads = model.KvHeadCount, HeadDim = model.HeadWidth, Ffn = model.FfnWidth };
    }

    /// <summary>The sizes that programs and plans are made of.</summary>
    public static ModelShape Of(ModelSection model, long vocabulary)
    {
        model = Resolve(model);
        return new ModelShape(
            model.Layers,
            model.Hidden,
            model.Heads,
            model.KvHeads,
            model.HeadDim,
            model.Ffn,
            vocabulary,
            model.Context,
            model.Activation == ActivationKind.Swiglu,
            model.TiedEmbeddings && model.Head == HeadKind.Vocabulary
        )
        {
            ScoreHead = model.Head == HeadKind.Score,
            LearnedPositions = model.Positions == PositionKind.Learned,
            NormBias = model.Norm == NormKind.LayerNorm,
            QkvBias = model.QkvBias,
            AttentionOutputBias = model.AttentionOutputBias,
            FfnBias = model.FfnBias,
        };
    }
}
