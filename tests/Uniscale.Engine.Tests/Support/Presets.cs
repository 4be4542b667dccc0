using Uniscale.Configuration;

namespace Uniscale.Engine.Tests.Support;

/// <summary>The presets at the small size of the golden values.</summary>
internal static class Presets
{
    public const long Vocabulary = 53;

    public static IEnumerable<string> Names => ["gpt2", "llama", "internlm", "internlm2"];

    private static readonly ModelSection Llama = new()
    {
        Layers = 2,
        Hidden = 32,
        Heads = 4,
        HeadDim = 8,
        Ffn = 64,
        Context = 16,
    };

    public static ModelSection Small(string name) =>
        name switch
        {
            "gpt2" => Llama with
            {
                Norm = NormKind.LayerNorm,
                Activation = ActivationKind.Gelu,
                Positions = PositionKind.Learned,
                QkvBias = true,
                AttentionOutputBias = true,
                FfnBias = true,
                TiedEmbeddings = true,
            },
            "llama" => Llama,
            "internlm" => Llama with
            {
                QkvBias = true,
                AttentionOutputBias = true,
                RopeScaling = RopeScalingKind.Linear,
                RopeFactor = 2,
                DocumentMask = true,
            },
            _ => Llama with { KvHeads = 2, RopeBase = 1e6, RopeScaling = RopeScalingKind.NtkAware, RopeFactor = 2 },
        };
}
