using Uniscale.Configuration;

namespace Uniscale.Programs.Memory;

/// <summary>Numbers that are trained: of a block on one tensor rank, and of the whole model.</summary>
public static class ParameterCount
{
    /// <summary>
    /// Matrices are divided by the tensor axis (query, key, value and the first feed-forward matrices by output features with their biases,
    /// the other two by
    /// input features), norms and the biases of the other two are whole, key-value heads are replicated where they are fewer than tensor
    /// ranks,
    /// vocabularies are rounded up to a multiple of the axis.
    /// </summary>
    /// <param name="spec">The layout.</param>
    /// <param name="block">Number of the block. A head that uses the embedding's matrix on the same rank has none of its own.</param>
    public static long OfBlock(StepSpecification spec, int block)
    {
        var m = spec.Model;
        int tensor = spec.Mesh.Tensor;
        long hidden = m.Hidden;
        long rows = (m.Vocabulary + tensor - 1) / tensor;
        long norm = m.NormBias ? 2 * hidden : hidden;
        if (block == 0)
            return rows * hidden + (m.LearnedPositions ? m.Context * hidden : 0);
        if (block == m.Head && m.ScoreHead)
            return norm + hidden;
        if (block == m.Head)
            return norm + (m.TiedEmbeddings && !spec.TiedAcrossStages ? 0 : rows * hidden);
        return 2 * norm + Attention(m, tensor) + FeedForward(m, tensor);
    }

    /// <summary>Parameters of the whole model, each counted once.</summary>
    public static long OfModel(ModelShape model)
    {
        var alone = new StepSpecification
        {
            Model = model,
            Mesh = new MeshShape(1, 1, 1, 1),
            Microbatches = 1,
            MicrobatchSize = 1,
        };
        return Enumerable.Range(0, model.BlockCount).Sum(block => OfBlock(alone, block));
    }

    /// <summary>Parameters of the whole model, each counted once.</summary>
    /// <param name="model">Its section.</param>
    /// <param name="vocabulary">Entries of the embedding, padding not counted.</param>
    public static long OfModel(ModelSection model, long vocabulary) => OfModel(ModelShapes.Of(model, vocabulary));

    private static long Attention(ModelShape m, int tensor)
    {
        long queries = (long)m.Heads / tensor * m.HeadDim;
        long keys = (long)Math.Max(1, m.KvHeads / tensor) * m.HeadDim;
        return m.Hidden * (2 * queries + 2 * keys) + (m.QkvBias ? queries + 2 * keys : 0) + (m.AttentionOutputBias ? m.Hidden : 0);
    }

    private static long FeedForward(ModelShape m, int tensor)
    {
        long width = m.Ffn / tensor;
        int into = m.GatedFfn ? 2 : 1;
        return m.Hidden * width * (into + 1) + (m.FfnBias ? into * width + m.Hidden : 0);
    }
}
