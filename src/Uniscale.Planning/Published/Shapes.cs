namespace Uniscale.Planning.Published;

/// <summary>Models and layouts of publications.</summary>
internal static class Shapes
{
    /// <summary>
    /// A GPT of Megatron-LM: heads of hidden/heads, feed-forward of 4 · hidden with GELU, learned positions, LayerNorm, biases, tied
    /// embeddings.
    /// </summary>
    public static ModelShape Gpt(int hidden, int heads, int layers, long vocabulary = 51200, int context = 2048) =>
        new(layers, hidden, heads, heads, hidden / heads, 4 * hidden, vocabulary, context, GatedFfn: false, TiedEmbeddings: true)
        {
            LearnedPositions = true,
            NormBias = true,
            QkvBias = true,
            AttentionOutputBias = true,
            FfnBias = true,
        };

    /// <summary>A model of the Llama kind: RMSNorm, gated feed-forward, rotary positions, no biases.</summary>
    public static ModelShape Llama(int hidden, int heads, int keyHeads, int layers, int ffn, long vocabulary, int context) =>
        new(layers, hidden, heads, keyHeads, hidden / heads, ffn, vocabulary, context, GatedFfn: true, TiedEmbeddings: false);

    /// <summary>A layout: tensor, pipeline and data axes, chunks, global batch in sequences, microbatch.</summary>
    public static StepSpecification Layout(
        ModelShape model,
        int tensor,
        int pipeline,
        int data,
        int chunks,
        int batch,
        int micro,
        int context = 1
    ) =>
        new()
        {
            Model = model,
            Mesh = new MeshShape(pipeline, data, context, tensor),
            Microbatches = batch / data / micro,
            MicrobatchSize = micro,
            Schedule = chunks > 1 ? "interleaved-1f1b" : "1f1b",
            Chunks = chunks,
            ActivationBytes = 2,
        };
}
