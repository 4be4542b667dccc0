using Uniscale.Configuration;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>Ids of a tokenizer's special tokens; null or negative: it has none.</summary>
public readonly record struct SpecialTokens(int? Begin, int? End, int? Padding);

/// <summary>A model's shape here and in <c>config.json</c> of a Llama.</summary>
public static class LlamaMapping
{
    /// <summary>The shape as a Llama's; throws <see cref="UserErrorException"/> for a model that is none.</summary>
    /// <param name="model">Shape of the run's model.</param>
    /// <param name="vocabulary">Vocabulary entries, from the checkpoint.</param>
    /// <param name="isBf16">Weights are bfloat16.</param>
    /// <param name="special">Ids of the special tokens of the run's tokenizer.</param>
    public static LlamaConfig ToTheirs(ModelSection model, long vocabulary, bool isBf16, SpecialTokens special)
    {
        if (
            model.Norm != NormKind.RmsNorm
            || model.Activation != ActivationKind.Swiglu
            || model.Positions != PositionKind.Rope
            || model.QkvBias != model.AttentionOutputBias
        )
        {
            throw new UserErrorException(
                "Only models of Llama's kind can be exported: norm rmsnorm, activation swiglu, positions rope, and biases on all attention projections or on none."
            );
        }
        if (model.LogNContext > 0)
            throw new UserErrorException(
                $"model.log_n_context is {model.LogNContext}: config.json has no place for log-n scaling, so that the model would read long texts in another way there; it cannot be exported."
            );
        return new LlamaConfig
        {
            HiddenSize = model.Hidden,
            IntermediateSize = model.FfnWidth,
            NumHiddenLayers = model.Layers,
            NumAttentionHeads = model.Heads,
            NumKeyValueHeads = model.KvHeadCount,
            HeadDim = model.HeadWidth,
            MaxPositionEmbeddings = model.Context,
            VocabSize = (int)vocabulary,
            RmsNormEps = model.NormEpsilon,
            RopeParameters = Rope(model),
            AttentionBias = model.QkvBias,
            MlpBias = model.FfnBias,
            TieWordEmbeddings = model.TiedEmbeddings,
            TorchDtype = isBf16 ? "bfloat16" : "float32",
            BosTokenId = IdOf(special.Begin),
            EosTokenId = IdOf(special.End),
            PadTokenId = IdOf(special.Padding),
        };

        static int? IdOf(int? id) => id >= 0 ? id : null;
    }

    private static LlamaRope Rope(ModelSection model)
    {
        var (angleBase, factor, trained) = (model.RopeBase, model.RopeFactor, model.RopeTrainedContext);
        switch (model.RopeScaling)
        {
            case RopeScalingKind.None:
                return new LlamaRope("default", angleBase);
            case RopeScalingKind.NtkAware:
                // A static stretch of the base is a base; Hugging Face's own "dynamic" kind is another thing.
                return new LlamaRope("default", angleBase * Math.Pow(factor, model.HeadWidth / (model.HeadWidth - 2.0)));
            case RopeScalingKind.Linear:
                return new LlamaRope("linear", angleBase, factor);
            case RopeScalingKind.Dynamic:
                return trained == 0 || trained == model.Context
                    ? new LlamaRope("dynamic", angleBase, factor)
                    : throw new UserErrorException(
                        $"model.rope_trained_context is {trained} and model.context {model.Context}: the dynamic kind at Hugging Face takes the longest context for the trained one, so such a model cannot be exported."
                    );
            case RopeScalingKind.Yarn:
                return new LlamaRope("yarn", angleBase, factor)
                {
                    OriginalMaxPositionEmbeddings = trained,
                    BetaFast = model.RopeFastTurns,
                    BetaSlow = model.RopeSlowTurns,
                    AttentionFactor = model.RopeAttentionFactor > 0 ? model.RopeAttentionFactor : null,
                };
            case RopeScalingKind.Llama3:
                return new LlamaRope("llama3", angleBase, factor)
                {
                    OriginalMaxPositionEmbeddings = trained,
                    LowFreqFactor = model.RopeLowFrequency,
                    HighFreqFactor = model.RopeHighFrequency,
                };
            default:
                throw new InvalidOperationException($"Positions {model.RopeScaling} have no place in {LlamaConfig.FileName}.");
        }
    }

    private static IEnumerable<string> OursOf(LlamaRope rope)
    {
        if (rope.RopeType == "default" || (rope is { RopeType: "linear", Factor: 1 }))
            yield break;
        yield return $"model.rope_scaling={rope.RopeType}";
        (string Key, double? Value)[] values =
        [
            ("factor", rope.Factor),
            ("trained_context", rope.OriginalMaxPositionEmbeddings),
            ("fast_turns", rope.BetaFast),
            ("slow_turns", rope.BetaSlow),
            ("attention_factor", rope.AttentionFactor),
            ("low_frequency", rope.LowFreqFactor),
            ("high_frequency", rope.HighFreqFactor),
        ];
        foreach (var (key, value) in values)
            if (value is { } number)
                yield return FormattableString.Invariant($"model.rope_{key}={number:R}");
    }

    /// <summary>
    /// The shape as one of InternLM2's (<see cref="LlamaConfig.InternLm2"/>) or InternLM's (<see cref="LlamaConfig.InternLm"/>) family;
    /// throws <see cref="UserErrorException"/> for a model that is none.
    /// </summary>
    public static LlamaConfig AsFamily(LlamaConfig config, string family) => family == "llama" ? config : InternLmConfig.Of(config, family);

    /// <summary>A configuration with the shape of a Llama, as overrides of keys.</summary>
    public static IReadOnlyList<string> ToOurs(LlamaConfig config)
    {
        return
        [
            "model.norm=rmsnorm",
            "model.activation=swiglu",
            "model.positions=rope",
            .. Set("layers", config.NumHiddenLayers),
            .. Set("hidden", config.HiddenSize),
            .. Set("heads", config.NumAttentionHeads),
            .. Set("kv_heads", config.NumKeyValueHeads ?? config.NumAttentionHeads),
            .. Set("head_dim", config.HeadDim ?? config.HiddenSize / config.NumAttentionHeads),
            .. Set("ffn", config.IntermediateSize),
            .. Set("context", config.MaxPositionEmbeddings),
            .. Set("vocabulary", config.VocabSize),
            .. Set("norm_epsilon", config.RmsNormEps),
            .. Set("rope_base", config.RopeTheta),
            .. OursOf(config.RopeParameters),
            .. Set("qkv_bias", config.AttentionBias),
            .. Set("attention_output_bias", config.AttentionBias),
            .. Set("ffn_bias", config.MlpBias),
            .. Set("tied_embeddings", config.TieWordEmbeddings),
        ];

        static IEnumerable<string> Set(string key, object value) =>
            [FormattableString.Invariant($"model.{key}={(value is bool flag ? (flag ? "true" : "false") : value)}")];
    }
}
