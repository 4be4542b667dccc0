using System.Text.Json.Nodes;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Tests.Support;

namespace Uniscale.Checkpoints.Tests.HuggingFace;

/// <summary>Every key of config.json is taken over, has no influence, or is refused by name.</summary>
public sealed class LlamaConfigTests : IDisposable
{
    private const string Smallest =
        """{"model_type":"llama","hidden_size":8,"intermediate_size":24,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":32,"vocab_size":12}""";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private LlamaConfig Read(string more, params string[] ignored)
    {
        var config = JsonNode.Parse(Smallest)!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(more)!.AsObject())
            config[key] = value?.DeepClone();
        File.WriteAllText(_folder["config.json"], config.ToJsonString());
        return LlamaConfig.Read(_folder.Path, ignored);
    }

    [Theory]
    [InlineData("{}", "default", 10_000, null)]
    [InlineData("""{"rope_theta":500000.0}""", "default", 500_000, null)]
    [InlineData("""{"rope_parameters":{"rope_type":"default","rope_theta":500000.0}}""", "default", 500_000, null)]
    [InlineData(
        """{"rope_parameters":{"rope_type":"default","rope_theta":500000.0},"rope_theta":500000.0,"rope_scaling":null}""",
        "default",
        500_000,
        null
    )]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":4.0}}""", "linear", 10_000, 4.0)]
    [InlineData("""{"rope_scaling":{"type":"linear","rope_type":"linear","factor":4},"rope_theta":20000}""", "linear", 20_000, 4.0)]
    [InlineData("""{"rope_parameters":{"rope_type":"linear","rope_theta":20000,"factor":2}}""", "linear", 20_000, 2.0)]
    public void RotaryPositionsAreReadWhereverTheyStand(string more, string type, double theta, double? factor) =>
        Assert.Equal(new LlamaRope(type, theta, factor), Read(more).RopeParameters);

    [Theory]
    [InlineData(
        """{"rope_parameters":{"rope_type":"default","rope_theta":500000.0},"rope_theta":10000}""",
        "rope_theta stands there as 10000 and as 500000"
    )]
    [InlineData(
        """{"rope_scaling":{"rope_type":"longrope","factor":8}}""",
        "rope_parameters.rope_type is 'longrope'; Uniscale knows 'default', 'linear', 'dynamic', 'yarn', 'llama3'"
    )]
    [InlineData(
        """{"rope_scaling":{"rope_type":"llama3","factor":8}}""",
        "rope_parameters.low_freq_factor is missing with rope_type 'llama3'"
    )]
    [InlineData(
        """{"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1}}""",
        "rope_parameters.high_freq_factor is 1, but must be above low_freq_factor"
    )]
    [InlineData("""{"rope_scaling":{"rope_type":"yarn","factor":0.5}}""", "rope_parameters.factor is 0.5 with rope_type 'yarn'")]
    [InlineData(
        """{"rope_scaling":{"rope_type":"yarn","factor":4,"truncate":false}}""",
        "rope_scaling.truncate is false, which Uniscale does not have with rope_type 'yarn'"
    )]
    [InlineData(
        """{"rope_scaling":{"rope_type":"yarn","factor":4,"beta_fast":1}}""",
        "rope_parameters.beta_fast is 1, but must be above beta_slow"
    )]
    [InlineData(
        """{"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":"8"}}""",
        "rope_scaling.original_max_position_embeddings is \"8\", but must be a whole number of at least 1"
    )]
    [InlineData(
        """{"rope_scaling":{"type":"dynamic","factor":2,"original_max_position_embeddings":16}}""",
        "is 16 with rope_type 'dynamic', whose trained context is max_position_embeddings (32)"
    )]
    [InlineData(
        """{"rope_scaling":{"type":"linear","rope_type":"dynamic","factor":2}}""",
        "rope_scaling.rope_type is \"dynamic\", but rope_scaling.type is \"linear\""
    )]
    [InlineData(
        """{"rope_parameters":{"rope_type":"linear","factor":2},"rope_scaling":{"type":"linear","factor":4}}""",
        "rope_scaling.factor is 4, but rope_parameters.factor is 2"
    )]
    [InlineData(
        """{"rope_parameters":{"rope_type":"default","partial_rotary_factor":0.5}}""",
        "rope_parameters.partial_rotary_factor is 0.5, which Uniscale's Llama does not have"
    )]
    [InlineData(
        """{"rope_scaling":{"rope_type":"linear","factor":8,"low_freq_factor":1}}""",
        "rope_scaling.low_freq_factor is not known to Uniscale, and changes the positions"
    )]
    [InlineData("""{"rope_scaling":{"type":"linear"}}""", "rope_parameters.factor is missing with rope_type 'linear'")]
    [InlineData("""{"rope_scaling":{"type":7}}""", "rope_scaling.type is 7, but must be a text")]
    [InlineData("""{"rope_scaling":7}""", "rope_scaling is 7, but must be an object")]
    [InlineData("""{"sliding_window":4096}""", "sliding_window is 4096, which Uniscale's Llama does not have")]
    [InlineData("""{"pretraining_tp":2}""", "pretraining_tp is 2, which Uniscale's Llama does not have")]
    [InlineData(
        """{"layer_types":["sliding_attention"]}""",
        "layer_types is [\"sliding_attention\"], which Uniscale's Llama does not have"
    )]
    [InlineData(
        """{"quantization_config":{"bits":4}}""",
        "quantization_config is not known to Uniscale and may change the model; if it does not, import with --ignore-key quantization_config"
    )]
    [InlineData("""{"hidden_act":"gelu"}""", "hidden_act is 'gelu'; Uniscale's Llama has silu")]
    [InlineData("""{"model_type":"gpt2"}""", "model_type is 'gpt2'; Uniscale reads 'llama', 'internlm2' and 'internlm'")]
    [InlineData("""{"num_attention_heads":0}""", "num_attention_heads is 0, but must be a whole number of at least 1")]
    [InlineData("""{"num_attention_heads":3}""", "num_attention_heads is 3, which does not divide hidden_size (8)")]
    [InlineData("""{"hidden_size":"8"}""", "hidden_size is \"8\", but must be a whole number of at least 1")]
    [InlineData("""{"hidden_size":null}""", "has no hidden_size")]
    [InlineData("""{"vocab_size":1e99}""", "vocab_size is 1E+99, but must be a whole number of at least 1")]
    [InlineData("""{"attention_bias":1}""", "attention_bias is 1, but must be true or false")]
    [InlineData("""{"rms_norm_eps":0}""", "rms_norm_eps is 0, but must be a number above 0")]
    public void WhatIsNotUnderstoodIsRefusedByItsKey(string more, string expected)
    {
        string message = Assert.Throws<CheckpointException>(() => Read(more)).Message;
        Assert.EndsWith(expected, message.Replace("1e99", "1E+99", StringComparison.Ordinal));
        Assert.StartsWith(_folder["config.json"], message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"model_type":"llama","model_type":"llama"}""")]
    public void ABrokenFileIsOneSentence(string json)
    {
        File.WriteAllText(_folder["config.json"], json);
        string message = Assert.Throws<CheckpointException>(() => LlamaConfig.Read(_folder.Path)).Message;
        Assert.StartsWith(_folder["config.json"], message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void KeysOfTrainingAndGenerationHaveNoInfluence()
    {
        Read(
            """{"use_cache":true,"torch_dtype":"bfloat16","eos_token_id":[1,2],"initializer_range":0.02,"attention_dropout":0.0,"sliding_window":null,"pretraining_tp":1,"transformers_version":"5.0.0","pruned_heads":{}}"""
        );
        Assert.Equal(8, Read("""{"quantization_config":{"bits":4}}""", "quantization_config").HiddenSize);
    }

    [Fact]
    public void StretchingsAreReadWithTheirNumbers()
    {
        Assert.Equal(
            new LlamaRope("dynamic", 1e6, 2),
            Read("""{"rope_theta":1000000,"rope_scaling":{"type":"dynamic","factor":2.0}}""").RopeParameters
        );
        var yarn = new LlamaRope("yarn", 10_000, 4)
        {
            OriginalMaxPositionEmbeddings = 8,
            BetaFast = 32,
            BetaSlow = 1,
        };
        Assert.Equal(
            yarn,
            Read("""{"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":8}}""").RopeParameters
        );
        Assert.Equal(
            yarn with
            {
                OriginalMaxPositionEmbeddings = 32,
                BetaFast = 16,
            },
            Read("""{"rope_parameters":{"rope_type":"yarn","factor":4,"beta_fast":16,"truncate":true}}""").RopeParameters
        );
        // DeepSeek's two scales stand for a quotient: (0.1·0.707·ln 40 + 1) / (0.1·1·ln 40 + 1).
        Assert.Equal(
            0.92104236,
            Read(
                """{"rope_scaling":{"type":"yarn","factor":40,"original_max_position_embeddings":8,"mscale":0.707,"mscale_all_dim":1.0}}"""
            ).RopeParameters.AttentionFactor!.Value,
            1e-8
        );
        Assert.Equal(
            new LlamaRope("llama3", 500_000, 8)
            {
                OriginalMaxPositionEmbeddings = 8,
                LowFreqFactor = 1,
                HighFreqFactor = 4,
            },
            Read(
                """{"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8}}"""
            ).RopeParameters
        );
    }

    [Theory]
    [InlineData("""{"type":"linear","factor":4}""")]
    [InlineData("""{"type":"dynamic","factor":2}""")]
    [InlineData("""{"type":"yarn","factor":4,"original_max_position_embeddings":8,"attention_factor":1.5}""")]
    [InlineData(
        """{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8}"""
    )]
    public void EveryStretchingThatIsWrittenIsRead(string stretching)
    {
        var config = Read($$"""{"rope_scaling":{{stretching}}}""");
        config.Write(_folder.Path);
        Assert.Equal(config.RopeParameters, LlamaConfig.Read(_folder.Path).RopeParameters);
        // Older readers look for the section of that name, newer ones for the other.
        var written = JsonNode.Parse(File.ReadAllText(_folder["config.json"]))!;
        Assert.Equal(written["rope_parameters"]!["rope_type"]!.GetValue<string>(), written["rope_scaling"]!["type"]!.GetValue<string>());
        Assert.Equal(written["rope_parameters"]!["factor"]!.GetValue<double>(), written["rope_scaling"]!["factor"]!.GetValue<double>());
    }

    [Fact]
    public void InternLmHasKeysOfItsOwn()
    {
        var second = Read(
            """{"model_type":"internlm2","bias":false,"auto_map":{"AutoModel":"x"},"num_key_value_heads":1,"rope_theta":1000000,"rope_scaling":{"type":"dynamic","factor":2.0}}"""
        );
        Assert.Equal(
            ("internlm2", false, 1, new LlamaRope("dynamic", 1e6, 2)),
            (second.ModelType, second.AttentionBias, second.KvHeads, second.RopeParameters)
        );
        var first = Read("""{"model_type":"internlm","bias":true,"rotary":{"base":20000,"type":"dynamic"}}""");
        Assert.Equal((true, 2, new LlamaRope("dynamic", 20_000, 1)), (first.AttentionBias, first.KvHeads, first.RopeParameters));
        Assert.Equal(
            (true, new LlamaRope("default", 10_000)),
            (Read("""{"model_type":"internlm"}""").AttentionBias, Read("""{"model_type":"internlm"}""").RopeParameters)
        );
        Assert.EndsWith(
            "bias is not known to Uniscale and may change the model; if it does not, import with --ignore-key bias",
            Assert.Throws<CheckpointException>(() => Read("""{"bias":true}""")).Message,
            StringComparison.Ordinal
        );
        Assert.EndsWith(
            "rotary.type is \"other\", which Uniscale's InternLM does not have",
            Assert.Throws<CheckpointException>(() => Read("""{"model_type":"internlm","rotary":{"type":"other"}}""")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        var config = Read(
            """{"rope_scaling":{"type":"linear","factor":4},"tie_word_embeddings":true,"num_key_value_heads":1,"mlp_bias":true}"""
        );
        config.Write(_folder.Path);
        var again = LlamaConfig.Read(_folder.Path);
        Assert.Equal(config with { Architectures = [] }, again with { Architectures = [] });
    }
}
