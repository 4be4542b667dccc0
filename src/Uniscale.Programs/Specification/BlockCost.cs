namespace Uniscale.Programs;

/// <summary>Floating-point operations of a block's forward pass. A multiplication and an addition count as two.</summary>
public static class BlockCost
{
    /// <summary>
    /// Operations for one token, before any split over ranks. Transformer block: two for each weight of its matrices and
    /// 4 · heads · headDim · context/2 for causal attention; head: 2 · hidden · vocabulary; embedding: one row is copied
    /// (hidden operations, so that it is never free). Narayanan et al., 2021, appendix, with causal attention counted at half.
    /// </summary>
    public static double ForwardPerToken(ModelShape model, int block)
    {
        if (block == 0)
            return model.Hidden;
        if (block == model.Head)
            return 2.0 * model.Hidden * model.HeadOutputs;
        double queries = (double)model.Heads * model.HeadDim;
        double keys = (double)model.KvHeads * model.HeadDim;
        double attention = model.Hidden * (2 * queries + 2 * keys);
        double ffn = (model.GatedFfn ? 3.0 : 2.0) * model.Hidden * model.Ffn;
        return 2 * (attention + ffn) + 2 * queries * model.Context;
    }

    /// <summary>Operations of one rank for one microbatch: its part of the sequence and of the matrices.</summary>
    public static double ForwardPerMicrobatch(StepSpecification spec, int block) =>
        ForwardPerToken(spec.Model, block) * spec.MicrobatchSize * spec.Model.Context / (spec.Mesh.Context * spec.Mesh.Tensor);
}
