using System.Text.Json.Nodes;
using Uniscale.Configuration;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>What <c>config.json</c> of InternLM and InternLM2 says in other words than a Llama's.</summary>
internal static class InternLmConfig
{
    /// <summary>The configuration as one of a family; throws <see cref="UserErrorException"/> where that has no such model.</summary>
    public static LlamaConfig Of(LlamaConfig config, string family)
    {
        string title = family == LlamaConfig.InternLm2 ? "InternLM2" : "InternLM";
        string? other =
            config.HeadWidth * config.NumAttentionHeads != config.HiddenSize
                ? $"the heads of {title} fill the hidden size, and these do not"
            : config.MlpBias ? $"{title} has no biases in its feed-forward layers"
            : family == LlamaConfig.InternLm && config.KvHeads != config.NumAttentionHeads ? "InternLM has as many key as query heads"
            : config.RopeParameters.RopeType is not ("default" or "dynamic")
            && (family == LlamaConfig.InternLm || config.RopeParameters.RopeType != "linear")
                ? $"{title} has no positions of the kind '{config.RopeParameters.RopeType}'"
            : null;
        return other is null
            ? config with
            {
                ModelType = family,
                Architectures = [$"{title}ForCausalLM"],
            }
            : throw new UserErrorException($"The model cannot be exported as {title}: {other}; export it with --format llama.");
    }

    /// <summary>Puts the keys of the family in the place of a Llama's.</summary>
    public static void Translate(JsonObject written, LlamaConfig config)
    {
        foreach (string key in (string[])["rope_parameters", "rope_scaling", "head_dim", "mlp_bias", "attention_bias"])
            written.Remove(key);
        written["bias"] = config.AttentionBias;
        var rope = config.RopeParameters;
        if (config.ModelType == LlamaConfig.InternLm2)
        {
            // Its code takes exactly two keys.
            written["rope_scaling"] = rope.Factor is { } factor ? new JsonObject { ["type"] = rope.RopeType, ["factor"] = factor } : null;
            return;
        }
        written.Remove("rope_theta");
        written.Remove("num_key_value_heads");
        var rotary = new JsonObject { ["base"] = rope.RopeTheta, ["type"] = rope.RopeType == "dynamic" ? "dynamic" : "origin" };
        if (rope.Factor is { } scaling)
            rotary["scaling_factor"] = scaling;
        written["rotary"] = rotary;
    }
}
