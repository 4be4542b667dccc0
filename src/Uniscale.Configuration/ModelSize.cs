namespace Uniscale.Configuration;

/// <summary>Parameters and arithmetic of a model, from its shape alone.</summary>
public static class ModelSize
{
    /// <summary>The formula of <see cref="FlopsPerToken"/>, as it is printed beside every MFU.</summary>
    public const string FlopsFormula = "6·N + 12·layers·heads·head_dim·context FLOP a token";

    /// <summary>All trainable numbers. <paramref name="vocabulary"/>: entries of the embedding, padding not counted.</summary>
    public static long ParameterCount(ModelSection model, long vocabulary)
    {
        var norm = (model.Norm == NormKind.LayerNorm ? 2L : 1L) * model.Hidden;
        var positions = model.Positions == PositionKind.Learned ? (long)model.Context * model.Hidden : 0;
        var embeddings = vocabulary * model.Hidden * (model.TiedEmbeddings ? 1 : 2);
        return embeddings + positions + (model.Layers * (Attention(model) + Ffn(model) + 2 * norm)) + norm;
    }

    /// <summary>
    /// Model operations of forward and backward for one token, by <see cref="FlopsFormula"/> (Chowdhery et al., 2022, appendix B), where N are the
    /// parameters that take part in products: all but the table of positions and an untied input embedding. Recomputation does not count,
    /// and attention counts whole, masked half included, as the field does.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="vocabulary">Entries of the embedding, padding not counted.</param>
    /// <param name="context">Tokens in a sequence; 0: the model's context. A table of learned positions keeps its rows.</param>
    public static double FlopsPerToken(ModelSection model, long vocabulary, int context = 0)
    {
        var lookups = (model.Positions == PositionKind.Learned ? (long)model.Context * model.Hidden : 0)
            + (model.TiedEmbeddings ? 0 : vocabulary * model.Hidden);
        return (6.0 * (ParameterCount(model, vocabulary) - lookups)) + (12.0 * model.Layers * model.Heads * model.HeadWidth * (context > 0 ? context : model.Context));
    }

    private static long Attention(ModelSection model)
    {
        long queries = (long)model.Heads * model.HeadWidth, keys = (long)model.KvHeadCount * model.HeadWidth;
        return (2 * model.Hidden * (queries + keys)) + (model.QkvBias ? queries + (2 * keys) : 0) + (model.AttentionOutputBias ? model.Hidden : 0);
    }

    private static long Ffn(ModelSection model)
    {
        long width = model.FfnWidth, ups = model.Activation == ActivationKind.Swiglu ? 2 : 1;
        return ((ups + 1) * model.Hidden * width) + (model.FfnBias ? (ups * width) + model.Hidden : 0);
    }
}
