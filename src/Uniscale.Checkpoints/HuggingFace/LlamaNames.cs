using System.Text.RegularExpressions;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>
/// Names of a Llama's tensors here and at Hugging Face. Shapes are the same, and so are the pairs that rotary positions turn
/// (i with i + headDim/2), so that no weight needs to be permuted.
/// </summary>
public static partial class LlamaNames
{
    private static readonly (string Ours, string Theirs)[] Whole =
    [
        ("embedding.tokens.weight", "model.embed_tokens.weight"),
        ("head.norm.weight", "model.norm.weight"),
        ("head.output.weight", "lm_head.weight"),
    ];

    private static readonly (string Ours, string Theirs)[] InLayer =
    [
        ("attention_norm", "input_layernorm"),
        ("attention.wq", "self_attn.q_proj"),
        ("attention.wk", "self_attn.k_proj"),
        ("attention.wv", "self_attn.v_proj"),
        ("attention.wo", "self_attn.o_proj"),
        ("ffn_norm", "post_attention_layernorm"),
        ("ffn.w1", "mlp.gate_proj"),
        ("ffn.w3", "mlp.up_proj"),
        ("ffn.w2", "mlp.down_proj"),
    ];

    /// <summary>The name at Hugging Face, or null for what a Llama does not have (optimizer state, learned positions).</summary>
    public static string? ToTheirs(string ours)
    {
        if (Whole.FirstOrDefault(pair => pair.Ours == ours).Theirs is { } whole)
            return whole;
        return
            OurLayer().Match(ours) is { Success: true } match
            && InLayer.FirstOrDefault(pair => pair.Ours == match.Groups["module"].Value).Theirs is { } module
            ? $"model.layers.{match.Groups["layer"].Value}.{module}.{match.Groups["kind"].Value}"
            : null;
    }

    /// <summary>The name here, or null for what Uniscale's Llama does not have.</summary>
    public static string? ToOurs(string theirs)
    {
        if (Whole.FirstOrDefault(pair => pair.Theirs == theirs).Ours is { } whole)
            return whole;
        return
            TheirLayer().Match(theirs) is { Success: true } match
            && InLayer.FirstOrDefault(pair => pair.Theirs == match.Groups["module"].Value).Ours is { } module
            ? $"layers.{match.Groups["layer"].Value}.{module}.{match.Groups["kind"].Value}"
            : null;
    }

    [GeneratedRegex(@"^layers\.(?<layer>\d+)\.(?<module>[\w.]+)\.(?<kind>weight|bias)$")]
    private static partial Regex OurLayer();

    [GeneratedRegex(@"^model\.layers\.(?<layer>\d+)\.(?<module>[\w.]+)\.(?<kind>weight|bias)$")]
    private static partial Regex TheirLayer();
}
