using Uniscale.Configuration;

namespace Uniscale.Planning.Plans;

/// <summary>Operations of a model for one token, forward and backward. A multiplication and an addition are two.</summary>
public static class PlannedFlops
{
    /// <summary>What <see cref="PerToken"/> counts, for every report that shows a share of the peak.</summary>
    public const string Formula =
        "6 · parameters of matrices + 12 · layers · heads · head_dim · context (attention whole, recomputation not counted), of the dense peak";

    /// <summary>
    /// 6 for each parameter of a matrix (layers and head; the embedding is copied, not multiplied) and 12 · L · heads · headDim · s for
    /// attention, not halved for causality
    /// (llm-foundry, scripts/train/benchmarking; Narayanan et al., 2021: 72 B s L h² (1 + s/6h + V/12Lh) is the same for their models).
    /// </summary>
    public static double PerToken(ModelShape model)
    {
        double queries = (double)model.Heads * model.HeadDim,
            keys = (double)model.KvHeads * model.HeadDim;
        double layer = model.Hidden * (2 * queries + 2 * keys) + (model.GatedFfn ? 3.0 : 2.0) * model.Hidden * model.Ffn;
        double head = (double)model.Hidden * model.HeadOutputs;
        return 6 * (model.Layers * layer + head) + 12 * model.Layers * queries * model.Context;
    }

    /// <summary>
    /// Operations that the hardware carries out for one token: what is computed again counts again. Selective recomputation of scores
    /// repeats two of attention's products.
    /// </summary>
    public static double HardwarePerToken(StepSpecification spec, bool scoresAreRecomputed)
    {
        var model = spec.Model;
        double queries = (double)model.Heads * model.HeadDim,
            keys = (double)model.KvHeads * model.HeadDim;
        double attention = 4.0 * queries * model.Context;
        double layer = 2 * (model.Hidden * (2 * queries + 2 * keys) + (model.GatedFfn ? 3.0 : 2.0) * model.Hidden * model.Ffn) + attention;
        double again = 0;
        for (int block = 1; block <= model.Layers; block++)
            again += spec.RecomputationOf(block) switch
            {
                RecomputeKind.Block => layer,
                RecomputeKind.Selective when scoresAreRecomputed => attention,
                _ => 0,
            };
        return PerToken(model) + again;
    }
}
