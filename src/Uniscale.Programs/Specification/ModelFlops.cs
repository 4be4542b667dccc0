using Uniscale.Configuration;
using Uniscale.Programs.Memory;

namespace Uniscale.Programs;

/// <summary>Arithmetic of a model by the field's convention, which every MFU is measured against.</summary>
public static class ModelFlops
{
    /// <summary>The formula of <see cref="PerToken"/>, as it is printed beside every MFU.</summary>
    public const string Formula = "6·N + 12·layers·heads·head_dim·context FLOP a token";

    /// <summary>
    /// Model operations of forward and backward for one token, by <see cref="Formula"/> (Chowdhery et al., 2022, appendix B), where N are
    /// the
    /// parameters that take part in a GEMM: all but the table of positions and an untied input embedding. Recomputation does not count,
    /// and attention counts whole, masked half included, as the field does.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="vocabulary">Entries of the embedding, padding not counted.</param>
    /// <param name="context">Tokens in a sequence; 0: the model's context. A table of learned positions keeps its rows.</param>
    public static double PerToken(ModelSection model, long vocabulary, int context = 0)
    {
        long lookups =
            (model.Positions == PositionKind.Learned ? (long)model.Context * model.Hidden : 0)
            + (model.TiedEmbeddings && model.Head == HeadKind.Vocabulary ? 0 : vocabulary * model.Hidden);
        return (6.0 * (ParameterCount.OfModel(model, vocabulary) - lookups))
            + (12.0 * model.Layers * model.Heads * model.HeadWidth * (context > 0 ? context : model.Context));
    }
}
