using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>From the section of a model to the sizes that programs, plans and blocks are made of.</summary>
public static class ModelShapes
{
    /// <summary>The section with key-value heads, head width and feed-forward width filled in.</summary>
    public static ModelSection Resolve(ModelSection model)
    {
        if (model.Heads % model.KvHeadCount != 0)
            throw new UserErrorException($"model.kv_heads is {model.KvHeadCount}, which does not divide model.heads = {model.Heads}; set it to a divisor.");
        if (model.HeadDim == 0 && model.Hidden % model.Heads != 0)
            throw new UserErrorException($"model.heads is {model.Heads}, which does not divide model.hidden = {model.Hidden}; change one or set model.head_dim.");
        return model with { KvHeads = model.KvHeadCount, HeadDim = model.HeadWidth, Ffn = model.FfnWidth };
    }

    /// <summary>The sizes that programs and plans are made of.</summary>
    public static ModelShape Of(ModelSection model, long vocabulary)
    {
        model = Resolve(model);
        return new ModelShape(
            model.Layers, model.Hidden, model.Heads, model.KvHeads, model.HeadDim, model.Ffn, vocabulary, model.Context,
            model.Activation == ActivationKind.Swiglu, model.TiedEmbeddings)
        {
            LearnedPositions = model.Positions == PositionKind.Learned,
            NormBias = model.Norm == NormKind.LayerNorm,
            QkvBias = model.QkvBias,
            AttentionOutputBias = model.AttentionOutputBias,
            FfnBias = model.FfnBias,
        };
    }
}
